package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/eval"
)

// idLists are ID lists by name; each holds the hashes of its IDs.
type idLists map[string]map[string]struct{}

var _ eval.IDLists = idLists(nil)

// Contains implements [eval.IDLists].
func (l idLists) Contains(list, hash string) bool {
	_, found := l[list][hash]
	return found
}

// parseIDLists reads {"list": ["unit ID", …]} and {"list": {"body": "+hash\n-hash\n…"}}, mixed at will. The lists may
// also stand under a member "idLists", beside others, as in recorded sets of options.
func parseIDLists(text []byte) (idLists, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	if members == nil {
		return nil, errors.New("want an object of ID lists")
	}
	if inner := members["idLists"]; inner != nil && !isIDList(inner) {
		members = nil
		if err := json.Unmarshal(inner, &members); err != nil {
			return nil, fmt.Errorf("reading idLists: %w", err)
		}
	}
	lists := make(idLists, len(members))
	for name, text := range members {
		list, err := parseIDList(text)
		if err != nil {
			return nil, fmt.Errorf("list %q: %w", name, err)
		}
		lists[name] = list
	}
	return lists, nil
}

func isIDList(text []byte) bool {
	_, err := parseIDList(text)
	return err == nil
}

func parseIDList(text []byte) (map[string]struct{}, error) {
	var ids []string
	if err := json.Unmarshal(text, &ids); err == nil && ids != nil {
		list := make(map[string]struct{}, len(ids))
		for _, id := range ids {
			list[eval.IDListHash(id)] = struct{}{}
		}
		return list, nil
	}
	var file struct {
		Body *string `json:"body"`
	}
	if err := json.Unmarshal(text, &file); err != nil || file.Body == nil {
		return nil, errors.New(`want an array of unit IDs, or an object with a "body"`)
	}
	return replay(*file.Body), nil
}

// replay reads a list's file. Lines that begin neither with + nor with - mean nothing, and a hash with blanks around
// it is no ID's hash.
func replay(body string) map[string]struct{} {
	list := map[string]struct{}{}
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\r\n")
		if hash, ok := strings.CutPrefix(line, "+"); ok {
			list[hash] = struct{}{}
		} else if hash, ok := strings.CutPrefix(line, "-"); ok {
			delete(list, hash)
		}
	}
	return list
}
