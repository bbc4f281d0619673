/*
 * udh.c - user data headers
 *
 * Knows:     the information elements of 3GPP TS 23.040, 9.2.3.24: ports (.3, .4)
 *            and concatenation (.1, .8).
 * Does not:  know what stands behind the header.
 * Owns:      nothing.
 * Threads:   pure.
 */
#include "push/udh.h"

#include "base/buf.h"

void
udh_put_ports(struct buf *b, uint16_t to, uint16_t from)
{
	buf_u8(b, 6);
	buf_u8(b, UDH_PORTS16);
	buf_u8(b, 4);
	buf_u16(b, to);
	buf_u16(b, from);
}

void
udh_with_concat(struct buf *b, struct text udh, uint16_t reference, bool wide,
    uint8_t total, uint8_t number)
{
	size_t old = udh.len > 0 ? udh.len - 1 : 0;
	size_t now = old + (wide ? 6 : 5);

	if (now > UINT8_MAX) {
		b->overflow = true;
		return;
	}
	buf_u8(b, (uint8_t)now);
	if (old > 0)
		buf_bytes(b, udh.at + 1, old);
	if (wide) {
		buf_u8(b, UDH_CONCAT16);
		buf_u8(b, 4);
		buf_u16(b, reference);
	} else {
		buf_u8(b, UDH_CONCAT8);
		buf_u8(b, 3);
		buf_u8(b, (uint8_t)reference);
	}
	buf_u8(b, total);
	buf_u8(b, number);
}

static bool
read_ports8(struct cur *c, struct udh *u)
{
	u->port_to = cur_u8(c);
	u->port_from = cur_u8(c);
	return u->ports = true;
}

static bool
read_ports16(struct cur *c, struct udh *u)
{
	u->port_to = cur_u16(c);
	u->port_from = cur_u16(c);
	return u->ports = true;
}

static bool
read_concat(struct cur *c, struct udh *u, bool wide)
{
	u->wide = wide;
	u->reference = wide ? cur_u16(c) : cur_u8(c);
	u->total = cur_u8(c);
	u->number = cur_u8(c);
	u->concat = true;
	return u->number >= 1 && u->number <= u->total;
}

static bool
read_concat8(struct cur *c, struct udh *u)
{
	return read_concat(c, u, false);
}

static bool
read_concat16(struct cur *c, struct udh *u)
{
	return read_concat(c, u, true);
}

static const struct element {
	uint8_t		 id, octets;
	bool		(*read)(struct cur *, struct udh *);	/* false: contradicts itself */
} elements[] = {
	{ UDH_CONCAT8,	3,	read_concat8 },
	{ UDH_PORTS8,	2,	read_ports8 },
	{ UDH_PORTS16,	4,	read_ports16 },
	{ UDH_CONCAT16,	4,	read_concat16 },
};

static int
read_element(unsigned id, struct text content, struct udh *u, struct err *err)
{
	struct cur c = cur_on(content.at, content.len);

	for (const struct element *e = elements; e < elements + sizeof elements / sizeof *elements;
	    e++) {
		if (e->id != id)
			continue;
		if (content.len != e->octets)
			return err_set(err, ERR_SYNTAX, "user data header: element %02X has "
			    "%zu octets, not %u", id, content.len, e->octets);
		if (!e->read(&c, u))
			return err_set(err, ERR_SYNTAX, "user data header: segment %u of %u",
			    u->number, u->total);
	}
	return 0;
}

/* An element that comes again overrides (9.2.3.24); one that is not known is skipped. */
int
udh_read(struct text user_data, struct udh *u, struct err *err)
{
	struct cur c = cur_on(user_data.at, user_data.len);
	size_t len = cur_u8(&c);

	*u = (struct udh){ .octets = len + 1 };
	if (c.short_of || len > cur_left(&c))
		return err_set(err, ERR_SYNTAX, "user data header: %zu octets announced, %zu there",
		    len, cur_left(&c));
	c.end = c.at + len;
	while (cur_left(&c) > 0) {
		unsigned id = cur_u8(&c);
		size_t n = cur_u8(&c);
		const uint8_t *content = cur_bytes(&c, n);

		if (content == NULL)
			return err_set(err, ERR_SYNTAX, "user data header: element %02X runs over "
			    "its end", id);
		if (read_element(id, (struct text){ (const char *)content, n }, u, err) == -1)
			return -1;
	}
	return 0;
}
