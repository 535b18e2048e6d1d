package rtc

import (
	"context"

	"github.com/pion/sdp/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// agreed is the last offer that was answered.
type agreed struct {
	sdp    string // as it came
	ufrag  string
	tracks []Track
}

// remember keeps an offer that was answered; p.negotiating is held.
func (p *Peer) remember(offer string, o *offer, tracks []Track) {
	p.agreed = agreed{sdp: offer, ufrag: described(o.description).Ufrag, tracks: tracks}
}

// Take handles a fragment of the far end. Candidates are added. Credentials other than those of the last offer restart
// ICE: the connection stays as it is, with its keys, tracks and data channels, and looks for another path. Then the
// gateway's own fragment is returned, which is nil otherwise.
func (p *Peer) Take(ctx context.Context, f Fragment) (*Fragment, error) {
	p.negotiating.Lock()
	defer p.negotiating.Unlock()
	if p.agreed.sdp == "" {
		return nil, status.Error(codes.FailedPrecondition, "send an offer first")
	}
	if f.Ufrag == "" || f.Ufrag == p.agreed.ufrag {
		if len(f.Candidates) == 0 && !f.End {
			return nil, status.Error(codes.InvalidArgument, "the fragment has neither a=candidate nor a=end-of-candidates, "+
				"nor a new a=ice-ufrag, which would restart ICE")
		}
		return nil, p.addCandidates(f.Candidates)
	}
	if f.Pwd == "" {
		return nil, status.Error(codes.InvalidArgument,
			"a=ice-pwd is missing: an ICE restart needs a new one beside a=ice-ufrag")
	}
	return p.restart(ctx, f)
}

// restart restarts ICE by an offer that differs from the last one in its credentials only; p.negotiating is held.
func (p *Peer) restart(ctx context.Context, f Fragment) (*Fragment, error) {
	offer, err := restarted(p.agreed.sdp, f.Ufrag, f.Pwd)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "restart ICE: %v", err)
	}
	answer, err := p.answer(ctx, offer, p.agreed.tracks)
	if err != nil {
		return nil, err
	}
	if err := p.addCandidates(f.Candidates); err != nil {
		return nil, err
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(answer); err != nil {
		return nil, status.Errorf(codes.Internal, "restart ICE: %v", err)
	}
	own := described(&d)
	return &own, nil
}

func (p *Peer) addCandidates(candidates []Candidate) error {
	for _, c := range candidates {
		if err := p.AddCandidate(c.Line, c.MID, 0); err != nil {
			return err
		}
	}
	return nil
}
