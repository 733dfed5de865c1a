package specsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/statsig-operator/statsig-operator/pkg/transport"
)

const (
	// idListCDN has the manifests as files named by the key; other addresses are asked with POST.
	idListCDN = "https://api.statsigcdn.com/v1/get_id_lists"
	// cdnHost takes ranges as a query parameter, not as a header.
	cdnHost = "api.statsigcdn.com"

	maxManifestBytes = 16 << 20
)

// manifestEntry describes one list's file.
type manifestEntry struct {
	URL          string `json:"url"`
	FileID       string `json:"fileID"`
	Size         int64  `json:"size"`
	CreationTime int64  `json:"creationTime"`
	// unusable marks an entry that could not be read.
	unusable bool
}

func (l *listSyncer) manifestRequest() request {
	r := request{
		method: http.MethodPost, url: l.manifest, withKey: true, header: map[string]string{"Accept-Encoding": acceptEncoding},
	}
	if l.manifest.String() == idListCDN {
		r.method, r.url = http.MethodGet, l.client.withKeyFile(l.manifest)
	}
	return r
}

// fetchManifest returns the entries by list name. What is no manifest is refused whole, for applying it would drop
// every list.
func (l *listSyncer) fetchManifest(ctx context.Context) (map[string]manifestEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.Timeout)
	defer cancel()
	body, err := l.client.fetch(ctx, l.manifestRequest(), maxManifestBytes)
	if err != nil {
		return nil, err
	}
	return parseManifest(body)
}

func parseManifest(body []byte) (map[string]manifestEntry, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil || raw == nil {
		return nil, malformedError("the answer is not an object of ID lists")
	}
	entries := make(map[string]manifestEntry, len(raw))
	usable := 0
	for name, text := range raw {
		var e manifestEntry
		err := json.Unmarshal(text, &e)
		if e.unusable = err != nil || e.URL == "" || e.Size < 0; !e.unusable {
			usable++
		}
		entries[name] = e
	}
	// An object of something else, such as an error message, would otherwise pass for a manifest that dropped all
	// lists.
	if len(entries) > 0 && usable == 0 {
		return nil, malformedError("no entry of the answer describes an ID list")
	}
	return entries, nil
}

// download reads e's file, on top of base or, where that is nil, from its beginning, and returns the list that
// results: base itself when the file holds nothing more.
func (l *listSyncer) download(ctx context.Context, base *heldList, e manifestEntry, room int) (*heldList, error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.IDLists.Timeout)
	defer cancel()
	list := heldList{set: newIDSet(), fileID: e.FileID, created: e.CreationTime}
	if base != nil {
		list = *base
	}
	r, err := l.fileRequest(e, list.offset)
	if err != nil {
		return nil, err
	}
	resp, err := l.client.do(ctx, r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	start, err := rangeStart(resp, list.offset, r.header["Range"] == "")
	switch {
	case err != nil:
		return nil, fmt.Errorf("asking %s: %w", origin(r.url), err)
	case start == endOfFile:
		return &list, nil
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable:
		return l.download(ctx, nil, e, room)
	case start < list.offset:
		list.set, list.offset = newIDSet(), 0
	}
	if err := l.read(&list, resp, r.url, room); err != nil {
		return nil, err
	}
	return &list, nil
}

// read applies a body that begins at list's offset.
func (l *listSyncer) read(list *heldList, resp *http.Response, from *url.URL, room int) error {
	builder := list.set.edit()
	body := &trackingReader{r: resp.Body}
	count, err := applyLines(builder, body, room)
	switch {
	case errors.Is(err, ErrTooLarge):
		return fmt.Errorf("%w: all lists together would hold more than %d IDs", ErrTooLarge, l.options.IDLists.MaxIDs)
	case err != nil:
		return l.client.clean(from, err)
	case count.odd > 0 && count.marked == 0:
		return fmt.Errorf("asking %s: %w", origin(from), malformedError("the answer is not an ID list"))
	}
	if builder.changed {
		list.set = builder.done()
	}
	list.size = list.offset + body.n
	list.offset += count.consumed
	return nil
}

// fileRequest asks for a file from a byte on. The key goes only to Statsig's CDN and to where the manifest came from:
// a manifest may name any host.
func (l *listSyncer) fileRequest(e manifestEntry, start int64) (request, error) {
	u, err := url.Parse(e.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return request{}, malformedError("its URL is not an absolute http or https URL")
	}
	onCDN := u.Scheme == "https" && u.Host == cdnHost
	r := request{
		method: http.MethodGet, url: u, ranged: true, withKey: onCDN || transport.SameOrigin(u, l.manifest),
		header: map[string]string{"Accept-Encoding": "identity"},
	}
	from := strconv.FormatInt(start, 10) + "-"
	if onCDN {
		q := u.Query()
		q.Set("range", from)
		u.RawQuery = q.Encode()
		return r, nil
	}
	r.header["Range"] = "bytes=" + from
	r.header["Statsig-Id-List-File-Size"] = strconv.FormatInt(e.Size, 10)
	return r, nil
}

// endOfFile is what rangeStart returns when the file holds nothing from the offset asked for.
const endOfFile = -1

// rangeStart returns the offset in the file at which the body begins: the one asked for, or 0 from servers that sent
// the whole file and where the file is now shorter than what was read of it, so that it must be read again.
func rangeStart(resp *http.Response, asked int64, rangeInQuery bool) (int64, error) {
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return 0, malformedError("the answer is compressed, so its offsets mean nothing")
	}
	contentRange := strings.TrimPrefix(resp.Header.Get("Content-Range"), "bytes ")
	switch resp.StatusCode {
	case http.StatusRequestedRangeNotSatisfiable:
		size, err := strconv.ParseInt(strings.TrimPrefix(contentRange, "*/"), 10, 64)
		switch {
		case err != nil:
			return 0, malformedError("the range asked for is refused without a word on the file's size")
		case size == asked:
			return endOfFile, nil
		case size > asked:
			return 0, malformedError("a range inside the file is refused")
		default:
			return 0, nil
		}
	case http.StatusPartialContent:
		first, _, _ := strings.Cut(contentRange, "-")
		if start, err := strconv.ParseInt(first, 10, 64); err == nil && start == asked || rangeInQuery && contentRange == "" {
			return asked, nil
		}
		return 0, malformedError("the answer is another range than the one asked for")
	default:
		if rangeInQuery {
			return asked, nil
		}
		return 0, nil
	}
}
