package useragent

// role is what a phrase or product says about a user agent; the zero role says nothing. All but a bot also become a
// token.
type role uint8

const (
	roleToken   role = 1 << iota // nothing by itself
	roleOS                       // the operating system, if it has a version and is the first
	roleBrowser                  // the browser, if it has a version
	roleBot                      // the browser, if it is the first bot
)

// phrase is a sequence of words with a meaning of its own.
type phrase struct {
	// next are the words that must follow the first; empty ones may be anything.
	next [2]string
	role role
	tag  string
	// version is where the version stands, counted from the first word. It belongs to the phrase only if it starts with
	// a digit.
	version int
	// length is the number of words, the version left out. Some phrases are taken to be longer than they are, others
	// shorter.
	length int
	hints  hints
}

// phrases are found by their first word; the first that fits counts.
var phrases = map[string][]phrase{
	"like": {
		{next: [2]string{"Mac", "OS"}, length: 4},
		{length: 1},
	},
	"Mac": {
		{next: [2]string{"OS", "X"}, role: roleOS, tag: "Mac OS X", version: 3, length: 3, hints: hintMac},
		{next: [2]string{"OS"}, role: roleOS, tag: "Mac OS X", version: 2, length: 3, hints: hintMac},
	},
	"iOS":         {{role: roleOS, tag: "iOS", version: 1, length: 2, hints: hintIOS}},
	"iPadOS":      {{role: roleOS, tag: "iOS", version: 1, length: 2, hints: hintIOS}},
	"iPhone":      {{next: [2]string{"OS"}, role: roleOS, tag: "iOS", version: 2, length: 2}},
	"CPU":         {{next: [2]string{"OS"}, role: roleToken, tag: "CPU OS", version: 2, length: 2}},
	"CrKey":       {{role: roleOS, tag: "Chromecast", length: 1}},
	"Android":     {{role: roleOS, tag: "Android", version: 1, length: 1}},
	"Windows":     {{next: [2]string{"Phone"}, role: roleOS, tag: "Windows Phone", version: 2, length: 2}},
	"Red":         {{next: [2]string{"Hat"}, role: roleOS, tag: "Red Hat", length: 2}},
	"Ubuntu":      {{role: roleOS, tag: "Ubuntu", version: 1, length: 1}},
	"Linux":       {{role: roleToken, tag: "Linux", length: 1, hints: hintLinux}},
	"linux":       {{role: roleToken, tag: "Linux", length: 1, hints: hintLinux}},
	"Mobile":      {{role: roleToken, tag: "Mobile", length: 1, hints: hintMobile}},
	"PlayStation": {{role: roleToken, tag: "PlayStation", length: 1, hints: hintPlayStation}},
	"Nintendo":    {{next: [2]string{"3DS"}, role: roleToken, tag: "NetFront NX", length: 2}},
	"MSIE":        {{role: roleBrowser, tag: "IE", version: 1, length: 1}},
	"Yahoo!":      {{next: [2]string{"Slurp"}, role: roleToken, tag: "Yahoo! Slurp", length: 2}},
	"Better":      {{next: [2]string{"Uptime", "Bot"}, role: roleBot, tag: "Better Uptime Bot", length: 1}},
	"Radius":      {{next: [2]string{"Compilance", "Bot"}, role: roleBot, tag: "Radius Compilance Bot", length: 1}}, //nolint:misspell // So it calls itself.
	"Uptime":      {{next: [2]string{"Monitoring", "Bot"}, role: roleBot, tag: "Uptime Monitoring Bot", length: 1}},

	"AdsBot-Google-Mobile": {{role: roleBot, tag: "AdsBot-Google", length: 1}},
}

// product is what is known of the tag in a word of the form tag/version.
type product struct {
	role  role
	name  string
	hints hints
	// iOS says that the product runs on iOS only, where it may give the name of the desktop's system.
	iOS bool
}

var products = map[string]product{
	"Kindle":         {role: roleOS | roleBrowser, name: "Kindle"},
	"FxiOS":          {role: roleBrowser, name: "Firefox iOS"},
	"EdgiOS":         {role: roleBrowser, name: "Edge Mobile", iOS: true},
	"CriOS":          {role: roleBrowser, name: "Chrome Mobile iOS", iOS: true, hints: hintIOS},
	"GSA":            {role: roleBrowser, name: "Google"},
	"YisouSpider":    {role: roleBrowser, name: "YisouSpider"},
	"SamsungBrowser": {role: roleBrowser, name: "Samsung Internet"},
	"ChatGPT-User":   {role: roleBrowser, name: "ChatGPT-User"},
	"OAI-SearchBot":  {role: roleBrowser, name: "OAI-SearchBot"},
	"NX":             {role: roleBrowser, name: "NetFront NX"},
	"Electron":       {role: roleBrowser, name: "Electron"},
	"IEMobile":       {role: roleBrowser, name: "IE Mobile"},
	"Edg":            {role: roleToken, name: "Edge"},
	"Edge":           {role: roleToken, name: "Edge"},
	"OPR":            {role: roleToken, name: "Opera"},
	"HuaweiBrowser":  {role: roleToken, name: "HuaweiBrowser", hints: hintHuawei},
	"Mobile":         {role: roleToken, name: "Mobile", hints: hintMobile},
	"Safari":         {role: roleToken, name: "Safari", hints: hintSafari},
	"CFNetwork":      {hints: hintCFNetwork | hintIOS},
}
