package fakecam

import (
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"
	"time"
)

// answer answers a request whose login is right.
func (c *ONVIFCamera) answer(w http.ResponseWriter, s soap) {
	if slices.Contains(c.config.Missing, s.operation) {
		c.fault(w, http.StatusInternalServerError, "ActionNotSupported")
		return
	}
	inside, ok := "", true
	switch s.operation {
	case "GetSystemDateAndTime":
		inside = c.date()
	case "GetCapabilities":
		inside = "<%pCapabilities>" + c.capability("Media", "media") + c.capability("PTZ", "ptz") + "</%pCapabilities>"
	case "GetServices":
		inside = c.services()
	case "GetDeviceInformation":
		inside = "<%pManufacturer>Fake</%pManufacturer><%pModel>F-1\x01</%pModel><%pFirmwareVersion>1.2</%pFirmwareVersion>"
	case "GetProfiles":
		inside = c.profiles(s)
	case "GetStreamUri":
		inside, ok = c.stream(s)
	case "GetSnapshotUri":
		inside = "<%pMediaUri><%pUri>" + html.EscapeString(c.url("http", "/picture?n=1&size=2")) + "</%pUri></%pMediaUri>"
	case "SetSynchronizationPoint":
		if c.config.Camera != nil {
			c.config.Camera.SendKey()
		}
		c.add(KeyAsked)
	default:
		c.move(w, s)
		return
	}
	if !ok {
		c.fault(w, http.StatusBadRequest, "NoProfile")
		return
	}
	c.done(w, s, inside)
}

// done answers an operation.
func (c *ONVIFCamera) done(w http.ResponseWriter, s soap, inside string) {
	c.write(w, http.StatusOK, "<%p"+s.operation+"Response>"+inside+"</%p"+s.operation+"Response>")
}

func (c *ONVIFCamera) date() string {
	t := c.now().UTC()
	return fmt.Sprintf("<%%pSystemDateAndTime><%%pUTCDateTime><%%pTime><%%pHour>%d</%%pHour><%%pMinute>%d</%%pMinute>"+
		"<%%pSecond>%d</%%pSecond></%%pTime><%%pDate><%%pYear>%d</%%pYear><%%pMonth>%d</%%pMonth><%%pDay>%d</%%pDay>"+
		"</%%pDate></%%pUTCDateTime></%%pSystemDateAndTime>", t.Hour(), t.Minute(), t.Second(), t.Year(), t.Month(), t.Day())
}

// url is one that the camera returns.
func (c *ONVIFCamera) url(scheme, target string) string {
	at := c.config.Elsewhere
	if scheme == "rtsp" {
		at = c.config.RTSP
	}
	return scheme + "://" + at + target
}

func (c *ONVIFCamera) capability(name, path string) string {
	return "<%p" + name + "><%pXAddr>" + c.url("http", "/onvif/"+path) + "</%pXAddr></%p" + name + ">"
}

func (c *ONVIFCamera) services() string {
	all := map[string]string{
		"http://www.onvif.org/ver10/device/wsdl": "device_service", "http://www.onvif.org/ver10/media/wsdl": "media",
		"http://www.onvif.org/ver20/ptz/wsdl": "ptz",
	}
	if c.config.Media2 {
		all["http://www.onvif.org/ver20/media/wsdl"] = "media2"
	}
	var b strings.Builder
	for namespace, path := range all {
		b.WriteString("<%pService><%pNamespace>" + namespace + "</%pNamespace><%pXAddr>" + c.url("http", "/onvif/"+path) +
			"</%pXAddr></%pService>")
	}
	return b.String()
}

// profiles are two streams; only the first can be moved.
func (c *ONVIFCamera) profiles(s soap) string {
	ptz := "<%pDefaultContinuousPanTiltVelocitySpace>x</%pDefaultContinuousPanTiltVelocitySpace>" +
		"<%pDefaultContinuousZoomVelocitySpace>x</%pDefaultContinuousZoomVelocitySpace>"
	video := func(encoding string, width, height int) string {
		return fmt.Sprintf("<%%pEncoding>%s</%%pEncoding><%%pResolution><%%pWidth>%d</%%pWidth><%%pHeight>%d</%%pHeight>"+
			"</%%pResolution><%%pRateControl><%%pFrameRateLimit>25</%%pFrameRateLimit></%%pRateControl>",
			encoding, width, height)
	}
	if s.texts["GetProfiles@xmlns"] == "http://www.onvif.org/ver20/media/wsdl" {
		return `<%pProfiles token="main&amp;1"><%pName>Main</%pName><%pConfigurations><%pVideoEncoder GovLength="50">` +
			video("H265", 1280, 720) + `</%pVideoEncoder><%pPTZ>` + ptz + `</%pPTZ></%pConfigurations></%pProfiles>` +
			`<%pProfiles token="sub"><%pName>Sub</%pName><%pConfigurations><%pVideoEncoder GovLength="25">` +
			video("H264", 640, 360) + `</%pVideoEncoder></%pConfigurations></%pProfiles>`
	}
	return `<%pProfiles token="main&amp;1"><%pName>Main</%pName><%pVideoEncoderConfiguration token="v">` +
		video("H264", 1280, 720) + `<%pH264><%pGovLength>50</%pGovLength></%pH264></%pVideoEncoderConfiguration>` +
		`<%pPTZConfiguration token="p"><%pName>p</%pName>` + ptz + `</%pPTZConfiguration></%pProfiles>` +
		`<%pProfiles token="sub"><%pName>Sub</%pName><%pVideoEncoderConfiguration token="w">` + video("H264", 640, 360) +
		`</%pVideoEncoderConfiguration></%pProfiles>`
}

func (c *ONVIFCamera) stream(s soap) (string, bool) {
	target, ok := map[string]string{"main&1": c.config.Stream, "sub": "/sub"}[s.texts["ProfileToken"]]
	uri := "<%pUri>" + html.EscapeString(c.url("rtsp", target)) + "</%pUri>"
	if s.texts["Protocol"] != "RTSP" {
		return "", false
	}
	if _, old := s.texts["Transport"]; old {
		uri = "<%pMediaUri>" + uri + "</%pMediaUri>"
	}
	return uri, ok
}

// move carries out what belongs to PTZ.
func (c *ONVIFCamera) move(w http.ResponseWriter, s soap) {
	time.Sleep(c.config.PTZ.Delay) // as slow as the camera is said to be
	v := Motion{time.Now(), number(s.texts["PanTilt@x"]), number(s.texts["PanTilt@y"]), number(s.texts["Zoom@x"])}
	if told := c.config.Told; told != nil && (s.operation == "ContinuousMove" || s.operation == "Stop") {
		told(s.operation, v)
	}
	switch s.operation {
	case "ContinuousMove":
		limit := s.texts["Timeout"]
		if limit != "" && c.config.PTZ.RefuseTimeout {
			c.fault(w, http.StatusBadRequest, "InvalidArgVal")
			return
		}
		c.carryOut(v.Pan, v.Tilt, v.Zoom, duration(limit))
	case "Stop":
		if !c.config.PTZ.IgnoreStop {
			c.carryOut(0, 0, 0, 0)
		}
	case "GetStatus":
		c.done(w, s, c.status())
		return
	default:
		c.fault(w, http.StatusInternalServerError, "ActionNotSupported")
		return
	}
	c.done(w, s, "")
}
