// SPDX-License-Identifier: ISC

// A varlink client that owes nothing to vmsup: github.com/varlink/go, with its
// own idea of the protocol and of interface descriptions. For varlink.bats.
//
//	client unix:SOCKET info | parse INTERFACE | call METHOD JSON | events COUNT
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"github.com/varlink/go/varlink"
	"github.com/varlink/go/varlink/idl"
)

func check(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "client: %T %v\n", err, err)
		os.Exit(1)
	}
}

func show(value interface{}) {
	check(json.NewEncoder(os.Stdout).Encode(value))
}

func info(ctx context.Context, connection *varlink.Connection) {
	var vendor, product, version, url string
	var interfaces []string

	check(connection.GetInfo(ctx, &vendor, &product, &version, &url,
		&interfaces))
	show(map[string]interface{}{"vendor": vendor, "product": product,
		"version": version, "interfaces": interfaces})
}

// parse reads an interface's description as the library understands it.
func parse(ctx context.Context, connection *varlink.Connection, name string) {
	text, err := connection.GetInterfaceDescription(ctx, name)
	check(err)
	parsed, err := idl.New(text)
	check(err)
	methods := map[string][]string{}
	for _, method := range parsed.Methods {
		methods[method.Name] = []string{}
		for _, field := range method.In.Fields {
			methods[method.Name] = append(methods[method.Name],
				field.Name)
		}
	}
	errors, types := []string{}, []string{}
	for _, each := range parsed.Errors {
		errors = append(errors, each.Name)
	}
	for _, each := range parsed.Aliases {
		types = append(types, each.Name)
	}
	show(map[string]interface{}{"name": parsed.Name, "doc": parsed.Doc,
		"methods": methods, "errors": errors, "types": types})
}

func call(ctx context.Context, connection *varlink.Connection, method string,
	parameters string) {
	var reply json.RawMessage

	check(connection.Call(ctx, method, json.RawMessage(parameters), &reply))
	show(reply)
}

// events prints that many replies to one call, and what comes in them.
func events(ctx context.Context, connection *varlink.Connection, count int) {
	receive, err := connection.Send(ctx, "io.vmsup.Events", nil,
		varlink.More)
	check(err)
	for ; count > 0; count-- {
		var reply json.RawMessage

		flags, err := receive(ctx, &reply)
		check(err)
		show(map[string]interface{}{"reply": reply,
			"continues": flags&varlink.Continues != 0})
	}
}

func main() {
	ctx := context.Background()
	connection, err := varlink.NewConnection(ctx, os.Args[1])
	check(err)
	defer connection.Close()
	switch os.Args[2] {
	case "info":
		info(ctx, connection)
	case "parse":
		parse(ctx, connection, os.Args[3])
	case "call":
		call(ctx, connection, os.Args[3], os.Args[4])
	case "events":
		count, err := strconv.Atoi(os.Args[3])
		check(err)
		events(ctx, connection, count)
	}
}
