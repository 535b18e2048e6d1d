package harness

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// nginxConf runs nginx as one process that touches nothing outside its folder.
const nginxConf = `daemon off;
master_process off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
%[2]s
}
`

// StartNginx runs nginx with the given contents of its section http, in which LISTEN stands for the address it listens
// on and UPSTREAM for that of the robot's page. It returns the URL of nginx, without a slash at the end.
func StartNginx(tb testing.TB, robot *Robot, config string) string {
	tb.Helper()
	dir, address := tb.TempDir(), FreeAddress(tb)
	config = strings.NewReplacer("LISTEN", address, "UPSTREAM", strings.TrimPrefix(robot.URL, "http://")).Replace(config)
	file := dir + "/nginx.conf"
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConf, dir, config), 0o600); err != nil {
		tb.Fatal(err)
	}
	Start(tb, nil, "/usr/sbin/nginx", "-p", dir, "-c", file) // often not in the PATH
	url := "http://" + address
	Until(tb, "nginx answers", func() error {
		response, err := http.Get(url)
		if err != nil {
			return err
		}
		return response.Body.Close()
	})
	return url
}
