package pattern

import "fmt"

// maxWidth keeps the product of nested repetitions within an int; no text is that long.
const maxWidth = 1 << 40

// measure fills in width, fixed and hard of every node, and refuses back-references to groups that don't exist.
func (t *tree) measure() error {
	for group := range t.referenced {
		if group == 0 || group > t.groups {
			return fmt.Errorf("%w: no group %d to refer to", ErrInvalid, group)
		}
	}
	m := measurer{referenced: t.referenced, groups: make(map[int]*node)}
	m.visit(t.root)
	return nil
}

type measurer struct {
	referenced map[int]struct{}
	// groups holds the groups that end left of the node being visited: only their widths are known to a back-reference.
	groups map[int]*node
}

func (m *measurer) visit(n *node) {
	for _, sub := range n.subs {
		m.visit(sub)
		n.hard = n.hard || sub.hard
	}
	switch n.kind {
	case kindEmpty, kindExists:
		n.fixed = true
	case kindRune, kindSet:
		n.width, n.fixed = 1, true
	case kindAssert:
		n.fixed, n.hard = true, !n.assert.linear()
	case kindConcat:
		n.measureConcat()
	case kindAlternate:
		n.measureAlternate()
	case kindGroup, kindAtomic:
		n.width, n.fixed = n.subs[0].width, n.subs[0].fixed
	case kindRepeat:
		n.width = min(n.subs[0].width*n.min, maxWidth)
		n.fixed = n.subs[0].fixed && n.min == n.max
	case kindLook:
		n.fixed = true
	case kindBackref:
		if group := m.groups[n.group]; group != nil {
			n.width, n.fixed = group.width, group.fixed
		}
	case kindConditional:
		n.measureConditional()
	}
	m.harden(n)
}

// harden marks what no automaton can do by itself, whatever is inside.
func (m *measurer) harden(n *node) {
	switch n.kind {
	case kindLook, kindExists, kindAtomic, kindBackref, kindConditional:
		n.hard = true
	case kindGroup:
		m.groups[n.group] = n
		// An automaton could match the group, but not say which text it took.
		if _, ok := m.referenced[n.group]; ok {
			n.hard = true
		}
	default:
		// As hard as what is inside.
	}
}

func (n *node) measureConcat() {
	n.fixed = true
	for _, sub := range n.subs {
		n.width = min(n.width+sub.width, maxWidth)
		n.fixed = n.fixed && sub.fixed
	}
}

func (n *node) measureAlternate() {
	n.width, n.fixed = n.subs[0].width, n.subs[0].fixed
	for _, sub := range n.subs[1:] {
		n.fixed = n.fixed && sub.fixed && sub.width == n.width
		n.width = min(n.width, sub.width)
	}
}

func (n *node) measureConditional() {
	condition, yes, no := n.subs[0], n.subs[1], n.subs[2]
	n.width = min(condition.width+min(yes.width, no.width), maxWidth)
	n.fixed = condition.fixed && yes.fixed && no.fixed && condition.width+yes.width == no.width
}
