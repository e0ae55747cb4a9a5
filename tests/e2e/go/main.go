// SPDX-License-Identifier: Apache-2.0

// An AI feature in Go: asks the gate before a call, and reports afterwards what was used.
//
//	go run . 127.0.0.1:7003 ca.pem gate.token prd_…
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	ledger "purser.example/feature/stubs/purser/ledger/v1"
)

// A customer pays for what the call used, so no call may hang for long behind the gate.
const deadline = 5 * time.Second

func main() {
	address, authority, tokenFile, product := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	tls, err := credentials.NewClientTLSFromFile(authority, "")
	if err != nil {
		log.Fatal(err)
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		log.Fatal(err)
	}
	channel, err := grpc.NewClient(address, grpc.WithTransportCredentials(tls))
	if err != nil {
		log.Fatal(err)
	}
	defer channel.Close()
	ctx := metadata.AppendToOutgoingContext(
		context.Background(), "authorization", "Bearer "+strings.TrimSpace(string(token)))
	if err := summarise(ctx, ledger.NewLedgerServiceClient(channel), product); err != nil {
		log.Fatal(err)
	}
}

// summarise holds two units, and captures the one that it used.
func summarise(ctx context.Context, gate ledger.LedgerServiceClient, product string) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	asked, err := gate.Authorize(ctx, &ledger.AuthorizeRequest{
		RequestId: "go-1-ask", Customer: "acme", ProductId: product,
		Amount:      &ledger.AuthorizeRequest_QuantityMicros{QuantityMicros: 2_000_000},
		GroupValues: map[string]string{"user_id": "ann"},
	})
	if err != nil {
		return err
	}
	if asked.Decision != ledger.Decision_DECISION_ALLOWED {
		fmt.Println(asked.DenialReason)
		return nil
	}
	captured, err := gate.Capture(ctx, &ledger.CaptureRequest{
		RequestId: "go-1-use", Customer: "acme", HoldId: asked.HoldId,
		Actual: &ledger.CaptureRequest_QuantityMicros{QuantityMicros: 1_000_000},
	})
	if err != nil {
		return err
	}
	fmt.Println(asked.Decision, captured.CapturedMicros)
	return nil
}
