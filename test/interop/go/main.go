// The program of the lab's hosts over go-libp2p. It answers the requests that test/lab/trial.ts makes, one line of JSON each, as test/lab/agent.ts does,
// and ends when its standard input does.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// Request is what the test asks for. What an action does not need is left out.
type Request struct {
	ID        int      `json:"id"`
	Do        string   `json:"do"`
	Name      string   `json:"name"`
	Listen    []string `json:"listen"`
	IsPublic  bool     `json:"isPublic"`
	Relays    []string `json:"relays"`
	Reserve   bool     `json:"reserve"`
	IsCold    bool     `json:"isCold"`
	Target    string   `json:"target"`
	Bytes     int      `json:"bytes"`
	TimeoutMs int      `json:"timeoutMs"`
}

// Reply is what the test is told.
type Reply map[string]any

type action func(context.Context, Request) (Reply, error)

var output sync.Mutex

func main() {
	nodes := newNodes()
	actions := map[string]action{
		"relay":      nodes.relay,
		"peer":       nodes.peer,
		"connect":    nodes.connect,
		"direct":     nodes.direct,
		"echo":       nodes.echo,
		"traffic":    traffic,
		"reserve":    nodes.reserve,
		"stop":       nodes.stop,
		"benchRelay": nodes.benchRelay,
		"settle":     settle,
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var request Request
		if err := json.Unmarshal(lines.Bytes(), &request); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go answer(actions[request.Do], request)
	}
	nodes.closeAll()
}

func answer(act action, request Request) {
	timeout := time.Duration(request.TimeoutMs) * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if act == nil {
		write(failure(request.ID, fmt.Errorf("cannot do %s", request.Do)))
		return
	}
	reply, err := act(ctx, request)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		write(failure(request.ID, err))
		return
	}
	reply["id"] = request.ID
	write(reply)
}

func failure(id int, err error) Reply {
	told := Reply{"name": "Error", "message": err.Error()}
	if relayed, ok := err.(Relayed); ok {
		told["reason"] = relayed.reason
	}
	return Reply{"id": id, "error": told}
}

func write(message Reply) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(line))
}
