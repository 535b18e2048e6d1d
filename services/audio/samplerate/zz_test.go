package samplerate
import "testing"
func TestZZ(t *testing.T){
 for _, r := range [][2]int{{8000,48000},{44100,48000},{48000,8000}} {
 for _, secs := range []float64{0.01, 0.1,1} {
  c,_ := New(1, Fast)
  in := make([]float32, int(float64(r[0])*secs)); out := make([]float32, 100000)
  ratio := float64(r[1])/float64(r[0])
  total:=0; left := in
  for len(left)>0 { u,m,err := c.Process(left,out,ratio,false); if err!=nil {t.Fatal(err)}; left=left[u:]; total+=m; if u+m==0 {break} }
  a := total
  for { _,m,err := c.Process(nil,out,ratio,true); if err!=nil {t.Fatal(err)}; total+=m; if m==0 {break} }
  t.Log(r, secs, a, total, float64(len(in))*ratio)
  }}
}
