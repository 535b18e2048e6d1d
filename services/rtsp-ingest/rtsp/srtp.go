package rtsp

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/bluenviron/gortsplib/v5/pkg/mikey"
	"github.com/bluenviron/gortsplib/v5/pkg/ntp"
	"github.com/pion/srtp/v3"
)

// Sizes of AES_CM_128_HMAC_SHA1_80, the only profile that cameras use (RFC 3711, 8.2).
const (
	masterKey  = 16
	masterSalt = 14
	authKey    = 20
	authTag    = 10
)

// secrets encrypt what goes to the camera and decrypt what comes from it: SRTP with keys by MIKEY (RFC 4567).
type secrets struct {
	in *srtp.Context

	mu  sync.Mutex
	out *srtp.Context
}

// newSecrets makes a key of ours. The field KeyMgmt tells the camera.
func newSecrets(ssrc uint32, uri string) (*secrets, field, error) {
	key := make([]byte, masterKey+masterSalt)
	random := make([]byte, 16)
	var id [4]byte
	for _, b := range [][]byte{key, random, id[:]} {
		_, _ = rand.Read(b) // never fails
	}
	out, err := srtp.CreateContext(key[:masterKey], key[masterKey:], srtp.ProtectionProfileAes128CmHmacSha1_80)
	if err != nil {
		return nil, field{}, err
	}
	message := mikey.Message{
		Header: mikey.Header{
			Version: 1, CSBID: uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3]),
			CSIDMapInfo: []mikey.SRTPIDEntry{{SSRC: ssrc}},
		},
		Payloads: []mikey.Payload{
			&mikey.PayloadT{TSValue: ntp.Encode(time.Now())},
			&mikey.PayloadRAND{Data: random},
			&mikey.PayloadSP{PolicyParams: []mikey.PayloadSPPolicyParam{
				{Type: mikey.PayloadSPPolicyParamTypeEncrAlg, Value: []byte{1}},
				{Type: mikey.PayloadSPPolicyParamTypeSessionEncrKeyLen, Value: []byte{masterKey}},
				{Type: mikey.PayloadSPPolicyParamTypeAuthAlg, Value: []byte{1}},
				{Type: mikey.PayloadSPPolicyParamTypeSessionAuthKeyLen, Value: []byte{authKey}},
				{Type: mikey.PayloadSPPolicyParamTypeSRTPEncrOffOn, Value: []byte{1}},
				{Type: mikey.PayloadSPPolicyParamTypeSRTCPEncrOffOn, Value: []byte{1}},
				{Type: mikey.PayloadSPPolicyParamTypeSRTPAuthOffOn, Value: []byte{1}},
				{Type: mikey.PayloadSPPolicyParamTypeAuthTagLen, Value: []byte{authTag}},
			}},
			&mikey.PayloadKEMAC{SubPayloads: []*mikey.SubPayloadKeyData{
				{Type: mikey.SubPayloadKeyDataTypeTEK, KV: mikey.SubPayloadKeyDataKVNull, KeyData: key},
			}},
		},
	}
	data, err := message.Marshal()
	if err != nil {
		return nil, field{}, err
	}
	value := `prot=mikey;uri="` + uri + `";data="` + base64.StdEncoding.EncodeToString(data) + `"`
	return &secrets{out: out}, field{"KeyMgmt", value}, nil
}

var errNoKey = errors.New("the camera sends no key that can be read")

// accept takes the key of the camera: from the answer to SETUP, the section or the description, the first that there
// is.
func (s *secrets) accept(r *response, described string) error {
	text := described
	if value := r.fields.get("KeyMgmt"); value != "" {
		_, text, _ = strings.Cut(value, "data=")
		text, _, _ = strings.Cut(strings.Trim(text, ` "`), `"`)
	}
	data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return errNoKey
	}
	s.in, err = cameraKey(data)
	return err
}

// cameraKey reads a MIKEY message.
func cameraKey(data []byte) (*srtp.Context, error) {
	var message mikey.Message
	if message.Unmarshal(data) != nil {
		return nil, errNoKey
	}
	for _, payload := range message.Payloads {
		kemac, ok := payload.(*mikey.PayloadKEMAC)
		if !ok || len(kemac.SubPayloads) == 0 || len(kemac.SubPayloads[0].KeyData) != masterKey+masterSalt {
			continue
		}
		key := kemac.SubPayloads[0]
		var options []srtp.ContextOption
		if len(key.SPI) > 0 {
			options = append(options, srtp.MasterKeyIndicator(key.SPI))
		}
		in, err := srtp.CreateContext(key.KeyData[:masterKey], key.KeyData[masterKey:],
			srtp.ProtectionProfileAes128CmHmacSha1_80, options...)
		if err != nil {
			return nil, errNoKey
		}
		for _, entry := range message.Header.CSIDMapInfo {
			in.SetROC(entry.SSRC, entry.ROC)
		}
		return in, nil
	}
	return nil, errNoKey
}

// open decrypts a packet.
func (s *secrets) open(data []byte) ([]byte, error) {
	if isReport(data) {
		return s.in.DecryptRTCP(nil, data, nil)
	}
	return s.in.DecryptRTP(nil, data, nil)
}

// seal encrypts a packet.
func (s *secrets) seal(data []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isReport(data) {
		return s.out.EncryptRTCP(nil, data, nil)
	}
	return s.out.EncryptRTP(nil, data, nil)
}
