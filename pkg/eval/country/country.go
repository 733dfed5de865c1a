package country

import (
	"strconv"
	"strings"
	"sync"

	"github.com/statsig-io/ip3country-go/pkg/countrylookup"
)

// addresses is the number of IPv4 addresses, and the end of the table.
const addresses = 1 << 32

var table = sync.OnceValue(countrylookup.New)

// Lookup finds countries. It implements eval.CountryLookup. [New] makes one.
type Lookup struct {
	table *countrylookup.CountryLookup
}

// New returns a Lookup. All of them share one table, which the first call unpacks.
func New() *Lookup { return &Lookup{table: table()} }

// Country returns the two-letter ISO 3166 code of the country an address belongs to, in upper case. It returns false
// for an address without a country, such as a private one, and for what is no IPv4 address.
//
// Four numbers with dots between them are an address. As in Server Core each may be any 64-bit integer, signed too, and
// they add up to the address: 8.8.2056.8 is 8.16.8.8, and +8.8.16.-2040 is 8.8.8.8. A sum of 2^32 or more, which ends
// Server Core's process, has no country here.
func (l *Lookup) Country(ip string) (string, bool) {
	address, ok := parse(ip)
	if !ok || address >= addresses {
		return "", false
	}
	// Everything below the first range is part of it.
	return l.table.LookupNumericIp(uint64(max(address, 0)))
}

// parse adds up the numbers of an address. An overflow wraps around, and the sum can be an address again.
func parse(ip string) (address int64, ok bool) {
	for part := range 4 {
		number, rest, dot := strings.Cut(ip, ".")
		if dot != (part < 3) {
			return 0, false
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, false
		}
		address = address<<8 + n
		ip = rest
	}
	return address, true
}
