package agent_test

import (
	"net/http"
	"testing"

	"github.com/troupe-mesh/troupe/e2e/agent"
)

const (
	clientID   = "spiffe://cluster.local/ns/default/sa/client"
	waypointID = "spiffe://cluster.local/ns/default/sa/waypoint"
)

func TestWaypointAnswersATunnel(t *testing.T) {
	client, waypoint := agent.Start(t, here{}, "client"), agent.Start(t, here{}, "waypoint")
	dir := t.TempDir()
	at := waypoint.ServeWaypoint(agent.Waypoint{Address: "127.0.0.1:0", CADir: dir, Identity: waypointID, Baggage: "a=b"})
	answer := client.Connect(agent.Tunnel{
		Proxy: at.String(), Authority: "10.0.2.2:8080", CADir: dir, Identity: clientID, Expected: waypointID,
		Header: map[string]string{"Forwarded": "host=x"},
	})
	if answer.Status != http.StatusOK || answer.Header.Get("Baggage") != "a=b" {
		t.Errorf("got %+v, want 200 and the baggage", answer)
	}
	seen := waypoint.Requests()
	if len(seen) != 1 || seen[0].Authority != "10.0.2.2:8080" || seen[0].Identity != clientID || seen[0].Header.Get("Forwarded") != "host=x" {
		t.Errorf("the waypoint saw %+v", seen)
	}
}
