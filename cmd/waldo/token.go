package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/waldo-robot/waldo/cmd/waldo/internal/units"
	"github.com/waldo-robot/waldo/pkg/access/roles"
	"github.com/waldo-robot/waldo/pkg/access/tokens"
	"github.com/waldo-robot/waldo/pkg/audit"
	"github.com/waldo-robot/waldo/pkg/robot"
)

// installed is where a robot that was installed as a package keeps its state.
const installed = "/var/lib/waldo"

type tokenCommand struct {
	Random tokenRandomCommand `cmd:"" default:"1" hidden:"" help:"Print a new shared secret."`
	Create tokenCreateCommand `cmd:"" help:"Make a token for one person or program."`
	List   tokenListCommand   `cmd:"" help:"List the tokens that were made."`
	Revoke tokenRevokeCommand `cmd:"" help:"End a token, and what is open with it."`
}

// Help explains the command.
func (*tokenCommand) Help() string {
	return `Without a token only this machine can reach a robot. With one, others can reach its page, gRPC and bus. One
secret for everybody, whose owners may do everything:

  export WALDO_TOKEN=$(waldo token)
  waldo up --http :8080 robot.yaml

Or a token for each person and program, with a role, which can be revoked while the robot runs:

  waldo token create anna --role driver --expires 30d
  waldo token list
  waldo token revoke anna

A viewer sees, hears, and may press the e-stop; a driver also drives and talks; an operator also takes over and clears
e-stops; an admin also changes settings and restarts devices. A service (--device) does at one device what a driver does.`
}

type tokenRandomCommand struct{}

// Run prints a new secret.
func (*tokenRandomCommand) Run(c console) error {
	_, err := fmt.Fprintln(c.out, rand.Text())
	return err
}

// tokenFile says which tokens a command is about.
type tokenFile struct {
	File string `name:"access-file" env:"WALDO_ACCESS_FILE" help:"The file of the robot's tokens; default: access.json in the folder of its state."`
}

// path returns the file.
func (t tokenFile) path() (string, error) {
	if t.File != "" {
		return t.File, nil
	}
	if _, err := os.Stat(installed); err == nil && os.Geteuid() == 0 && os.Getenv("STATE_DIRECTORY") == "" {
		return filepath.Join(installed, "access.json"), nil
	}
	path, err := tokens.Path(os.Getenv)
	if err != nil {
		return "", configurationError{fmt.Errorf("%w: name the file with --access-file", err)}
	}
	return path, nil
}

// note keeps that a token was changed.
func (t tokenFile) note(path string, kind audit.Kind, token tokens.Token) {
	log := audit.Open(audit.Path(filepath.Dir(path), "", "tokens"), nil)
	defer log.Close()
	user := cmp.Or(os.Getenv("SUDO_USER"), os.Getenv("USER"), "uid "+strconv.Itoa(os.Getuid()))
	log.Write(audit.Event{Kind: kind, Who: user, What: token.ID, Reason: token.Name + ", " + token.Role})
}

type tokenCreateCommand struct {
	tokenFile
	Name    string `arg:"" help:"Of the person or program that it is for."`
	Role    string `required:"" help:"viewer, driver, operator, admin or service."`
	Expires string `default:"never" help:"How long it is good: 12h, 30d, a day such as 2027-01-31, or never."`
	Robot   string `help:"The robot that it is for, where several use one file; default: all of them."`
	Device  string `help:"The device that it is for; only with the role service."`
}

// Run makes a token. It is printed once and kept nowhere.
func (t *tokenCreateCommand) Run(c console) error {
	path, err := t.path()
	if err != nil {
		return err
	}
	role, err := roles.Parse(t.Role)
	if err != nil {
		return configurationError{fmt.Errorf("--role: %w", err)}
	}
	if (role == roles.Service) != (t.Device != "") {
		return configurationError{fmt.Errorf("--device: a token with the role %s is for one device, which must be named; "+
			"all others are for every device", roles.Service)}
	}
	expires, err := parseExpiry(t.Expires, time.Now())
	if err != nil {
		return configurationError{fmt.Errorf("--expires: %w", err)}
	}
	token, made, err := tokens.Create(path, tokens.Request{Name: t.Name, Role: role, Robot: t.Robot, Device: t.Device,
		Expires: expires})
	if err != nil {
		return err
	}
	t.note(path, audit.TokenCreated, made)
	if err := t.checkDevice(); err != nil {
		_, _ = fmt.Fprintf(c.err, "warning: --device: %v; the token does nothing until it has\n", err)
	}
	_, _ = fmt.Fprintf(c.err, "waldo: a token for %s, %s, %s. It is shown once; %s keeps only its hash.\n", made.Name,
		made.Role, until(made), path) // the token itself is what matters
	if _, err := fmt.Fprintln(c.out, token); err != nil {
		return fmt.Errorf("the token was made, but could not be printed, and nobody has it now: %w: run waldo token revoke %s "+
			"and make another one", err, made.ID)
	}
	return nil
}

// robotFile is the file of a robot in the present folder.
const robotFile = "robot.yaml"

// checkDevice returns an error if the robot whose file is at hand, in this folder or as units of this machine, has no
// such device. The token may be for another robot, so that is a warning.
func (t *tokenCreateCommand) checkDevice() error {
	if t.Device == "" {
		return nil
	}
	r, err := robot.Load(robotFile)
	if err != nil {
		r = units.Installed()
	}
	if r == nil || t.Robot != "" && t.Robot != r.Name {
		return nil
	}
	_, err = r.Device(t.Device)
	return err
}

// until says how long a token is good.
func until(t tokens.Token) string {
	if t.Expires.IsZero() {
		return "until it is revoked"
	}
	return "until " + t.Expires.Local().Format("2006-01-02 15:04")
}

// maxDays bounds the life of a token that has one: 100 years.
const maxDays = 36500

// parseExpiry reads when a token ends; the zero time means never.
func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	if day, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil {
		return day, nil
	}
	var d time.Duration
	var err error
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int
		if n, err = strconv.Atoi(days); n > maxDays {
			err = strconv.ErrRange
		}
		d = time.Duration(n) * 24 * time.Hour
	} else {
		d, err = time.ParseDuration(text)
	}
	if err != nil || d <= 0 {
		return time.Time{}, fmt.Errorf("%.40q is neither a time such as 12h or 30d, nor a day such as 2027-01-31, nor never",
			text)
	}
	return now.Add(d), nil
}

type tokenListCommand struct{ tokenFile }

// Run lists the tokens, those that are good first.
func (t *tokenListCommand) Run(c console) error {
	path, err := t.path()
	if err != nil {
		return err
	}
	all, err := tokens.List(path)
	if err != nil {
		return configurationError{err}
	}
	now := time.Now()
	slices.SortStableFunc(all, func(a, b tokens.Token) int {
		return cmp.Compare(boolToInt(a.Ended(now) != nil), boolToInt(b.Ended(now) != nil))
	})
	table := tabwriter.NewWriter(c.plain().out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tNAME\tROLE\tFOR\tCREATED\tSTATE") // Flush reports what goes wrong
	for _, token := range all {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", token.ID, token.Name, token.Role,
			cmp.Or(strings.Trim(token.Robot+" "+token.Device, " "), "all"), token.Created.Local().Format(time.DateOnly),
			tokenState(token, now))
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("the list could not be printed: %w: make room where the output goes, or print it to the terminal",
			err)
	}
	return nil
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func tokenState(t tokens.Token, now time.Time) string {
	switch err := t.Ended(now); {
	case errors.Is(err, tokens.ErrRevoked):
		return "revoked " + t.Revoked.Local().Format(time.DateOnly)
	case errors.Is(err, tokens.ErrExpired):
		return "expired " + t.Expires.Local().Format(time.DateOnly)
	}
	return "good " + until(t)
}

type tokenRevokeCommand struct {
	tokenFile
	Token string `arg:"" name:"name" help:"Name or id of the token, as waldo token list shows it."`
}

// Run revokes a token.
func (t *tokenRevokeCommand) Run(c console) error {
	path, err := t.path()
	if err != nil {
		return err
	}
	revoked, err := tokens.Revoke(path, t.Token)
	if err != nil {
		return err
	}
	t.note(path, audit.TokenRevoked, revoked)
	_, err = fmt.Fprintf(c.plain().err, "waldo: the token of %s is revoked; what is open with it ends within a second\n",
		revoked.Name)
	return err
}
