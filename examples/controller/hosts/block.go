package hosts

import "strings"

// Block returns the table as a hosts block of a Corefile (see the hosts plugin
// of CoreDNS). Every line between the opening brace and the line "fallthrough"
// is an address and its names; names that are not in the table are left to the
// plugins that come after.
func (t Table) Block() string {
	var text strings.Builder
	text.WriteString("hosts {\n")
	for _, entry := range t.Entries {
		text.WriteString("    ")
		text.WriteString(entry.Address.String())
		for _, name := range entry.Names {
			text.WriteString(" ")
			text.WriteString(name)
		}
		text.WriteString("\n")
	}
	text.WriteString("    fallthrough\n}\n")
	return text.String()
}
