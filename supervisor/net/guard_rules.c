/* SPDX-License-Identifier: ISC */
/*
 * First-hop guard: what the rules are.
 *
 * Theory of operation: each TAP has a chain of its own, at the place where its
 * frames come in (netdev, ingress): before the bridge, before tags and sources
 * count for anything there, and the same whoever writes the frames: the VM
 * process, or vhost-net in the kernel. That chain lets pass what has the VM's
 * source MAC, and sends it on to chains that all TAPs share. Drops are counted
 * in a set, by TAP and reason, where an element comes into being with the first
 * frame: so a TAP costs no more than its chain and three rules.
 *
 * Guards of this kind are known to be got around by frames that hide what they
 * are from a filter and not from a host: extension headers before ICMPv6,
 * fragments, tags within tags, LLC/SNAP headers (RFC 7113; CVE-2021-27853 and
 * others). The kernel walks IPv6's headers and IPv4's options for us, and takes
 * off the first tag. What then can't be told is dropped as hidden: headers that
 * are cut off or make no sense; a further tag; SNAP that carries Ethernet's
 * protocols. A later fragment passes, as it is nothing without the first, which
 * must have the whole of the headers and the part of them that is judged.
 */
#include "supervisor/net/guard_rules.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "ipc/fd.h"
#include "supervisor/net/nft_rule.h"
#include "supervisor/net/nft_set.h"

/* The names of the chains of TAPs, and of no others, begin with this. */
#define PORT_PREFIX "tap-"
static_assert(sizeof(PORT_PREFIX) + IFNAMSIZ <= NFT_NAME, "room for it");

/* The frames of one second may come at once. */
#define BURST(rate) (rate)

/* ---- the sets: keys are a TAP's index and a reason, as nft(8) shows them:
 * "vmtap0 . 0x00000002" */

#define TYPE_MARK  19U
#define TYPE_INDEX 20U

const struct nft_set guard_dropped = {
	.name = "dropped",
	.id = 1,
	.words = GUARD_KEY_WORDS,
	.type = TYPE_INDEX << 6 | TYPE_MARK,
	.dynamic = true,
};
const struct nft_set guard_allowed = {
	.name = "allowed",
	.id = 2,
	.words = GUARD_KEY_WORDS,
	.type = TYPE_INDEX << 6 | TYPE_MARK,
};

/* ---- the shared chains */

enum chain {
	FRAMES,
	LLC,
	IPV4,
	UDP4,
	ICMP4,
	IGMP,
	IPV6,
	FRAGMENTS6,
	UDP6,
	ICMP6,
	DROP, /* the first of the chains of reasons */
	CHAINS = DROP + GUARD_REASONS,
	PASS /* no chain: the frame passes */
};

static const char *const chain_names[] = {
	[FRAMES] = "frames", [LLC] = "llc",
	[IPV4] = "ipv4",     [UDP4] = "udp4",
	[ICMP4] = "icmp4",   [IGMP] = "igmp",
	[IPV6] = "ipv6",     [UDP6] = "udp6",
	[ICMP6] = "icmp6",   [FRAGMENTS6] = "fragments6",
#define X(id, name) [DROP + GUARD_##id] = "drop-" name,
	GUARD_TABLE(X)
#undef X
};
static_assert(ARRAY_SIZE(chain_names) == CHAINS, "a name per chain");

enum load {
	NOTHING,
	META,
	PAYLOAD,
	FRAGMENT /* IPv6's fragment header */
};

struct rule {
	enum chain chain, end; /* its own; where it leads */
	enum load load;
	uint32_t what; /* which meta key, which header */
	uint32_t offset, bytes;
	uint64_t mask, value; /* in the frame's byte order; mask 0: none */
	enum nft_cmp_ops how;
};

#define OF_META(key, size) .load = META, .what = (key), .bytes = (size)
#define AT(header, at, size)                                           \
	.load = PAYLOAD, .what = NFT_PAYLOAD_##header, .offset = (at), \
	.bytes = (size)
#define IS(number)   .how = NFT_CMP_EQ, .value = (number)
#define ISNT(number) .how = NFT_CMP_NEQ, .value = (number)
/* True of each field that can be loaded. */
#define IS_THERE .how = NFT_CMP_GTE, .value = 0
/* An Ethernet type; 4 stands for a length and LLC. */
#define PROTOCOL(number) OF_META(NFT_META_PROTOCOL, 2), IS(number)
/* The protocol after IPv4's options, or after IPv6's extension headers. */
#define CARRIES(number) OF_META(NFT_META_L4PROTO, 1), IS(number)
#define HEADERS_END     OF_META(NFT_META_L4PROTO, 1), IS_THERE
#define TYPE(number)    AT(TRANSPORT_HEADER, 0, 1), IS(number)
#define HAS_TYPE        AT(TRANSPORT_HEADER, 0, 1), IS_THERE
#define TO(number)      AT(TRANSPORT_HEADER, 2, 2), IS(number)
#define HAS_PORT        AT(TRANSPORT_HEADER, 2, 2), IS_THERE
#define LATER_FRAGMENT4 AT(NETWORK_HEADER, 6, 2), .mask = 0x1fff, ISNT(0)
/* The next header in IPv6's own header. */
#define NEXT(number) AT(NETWORK_HEADER, 6, 1), IS(number)
#define OF_FRAGMENT(at, size)                                       \
	.load = FRAGMENT, .what = IPPROTO_FRAGMENT, .offset = (at), \
	.bytes = (size)
#define IS_FRAGMENT         OF_FRAGMENT(0, 1), IS_THERE
#define FRAGMENT_OF(number) OF_FRAGMENT(0, 1), IS(number)
#define LATER_FRAGMENT6     OF_FRAGMENT(2, 2), .mask = 0xfff8, ISNT(0)
/* SNAP: both addresses, whatever their lowest bits and the control field are,
 * and the organization that defines the protocol. */
#define SNAP_OF(organization)                     \
	AT(NETWORK_HEADER, 0, 6),                 \
		.mask = UINT64_C(0xfefe00ffffff), \
		IS(UINT64_C(0xaaaa00000000) | (organization))
#define ALWAYS .load = NOTHING
#define HIDE   (DROP + GUARD_HIDDEN)

/* clang-format off */
/* One rule, one reason, one line; in this order. */
static const struct rule rules[] = {
	{ FRAMES, IPV4, PROTOCOL(0x0800) }, /* judged further */
	{ FRAMES, IPV6, PROTOCOL(0x86dd) }, /* judged further */
	{ FRAMES, HIDE, PROTOCOL(0x8100) }, /* hosts remove tags of VLAN 0 */
	{ FRAMES, HIDE, PROTOCOL(0x88a8) }, /* the same, of 802.1ad */
	{ FRAMES, LLC, PROTOCOL(0x0004) }, /* may hide an Ethernet type */
	/* other frames pass: ARP, RARP, EAPOL, all that deceive no host */

	{ LLC, HIDE, SNAP_OF(0x000000) }, /* IP, for some hosts (RFC 1042) */
	{ LLC, HIDE, SNAP_OF(0x0000f8) }, /* the same (802.1H) */
	/* other frames pass: spanning tree, protocols of vendors */

	{ IPV4, PASS, CARRIES(IPPROTO_TCP) }, /* most frames: decided at once */
	{ IPV4, UDP4, CARRIES(IPPROTO_UDP) }, /* DHCP */
	{ IPV4, ICMP4, CARRIES(IPPROTO_ICMP) }, /* redirects, routers */
	{ IPV4, IGMP, CARRIES(IPPROTO_IGMP) }, /* queries */
	{ IPV4, PASS, HEADERS_END }, /* any other protocol */
	{ IPV4, HIDE, ALWAYS }, /* the header is invalid */

	{ UDP4, PASS, LATER_FRAGMENT4 }, /* the first has the ports */
	{ UDP4, DROP + GUARD_DHCP_SERVER, TO(68) }, /* the port of clients */
	{ UDP4, PASS, HAS_PORT }, /* any other port */
	{ UDP4, HIDE, ALWAYS }, /* a first fragment without ports */

	{ ICMP4, PASS, LATER_FRAGMENT4 }, /* the first has the type */
	{ ICMP4, DROP + GUARD_REDIRECT, TYPE(5) }, /* RFC 792 */
	{ ICMP4, DROP + GUARD_RA, TYPE(9) }, /* IPv4's, RFC 1256 */
	{ ICMP4, PASS, HAS_TYPE }, /* echo, errors */
	{ ICMP4, HIDE, ALWAYS }, /* a first fragment without type */

	{ IGMP, PASS, LATER_FRAGMENT4 }, /* the first has the type */
	{ IGMP, DROP + GUARD_MLD_QUERY, TYPE(0x11) }, /* RFC 3376, any */
	{ IGMP, PASS, HAS_TYPE }, /* reports */
	{ IGMP, HIDE, ALWAYS }, /* a first fragment without type */

	{ IPV6, PASS, NEXT(IPPROTO_TCP) }, /* most frames: decided at once */
	{ IPV6, ICMP6, NEXT(IPPROTO_ICMPV6) }, /* MLD, routers, redirects */
	{ IPV6, UDP6, NEXT(IPPROTO_UDP) }, /* DHCPv6 */
	{ IPV6, FRAGMENTS6, IS_FRAGMENT }, /* before other headers */
	{ IPV6, ICMP6, CARRIES(IPPROTO_ICMPV6) }, /* after other headers */
	{ IPV6, UDP6, CARRIES(IPPROTO_UDP) }, /* the same */
	{ IPV6, PASS, HEADERS_END }, /* any other; AH, ESP need a key */
	{ IPV6, HIDE, ALWAYS }, /* the headers are cut off */

	/* in a short frame, the kernel reads the padding, where a host reads
	 * the next fragment */
	/* these may continue in the next fragment */
	{ FRAGMENTS6, HIDE, FRAGMENT_OF(IPPROTO_HOPOPTS) },
	{ FRAGMENTS6, HIDE, FRAGMENT_OF(IPPROTO_ROUTING) }, /* the same */
	{ FRAGMENTS6, HIDE, FRAGMENT_OF(IPPROTO_FRAGMENT) }, /* the same */
	{ FRAGMENTS6, HIDE, FRAGMENT_OF(IPPROTO_DSTOPTS) }, /* the same */
	{ FRAGMENTS6, PASS, LATER_FRAGMENT6 }, /* not the first */
	/* it has 8 bytes, or no host takes it */
	{ FRAGMENTS6, ICMP6, FRAGMENT_OF(IPPROTO_ICMPV6) },
	{ FRAGMENTS6, UDP6, FRAGMENT_OF(IPPROTO_UDP) }, /* the same */
	/* other fragments pass, as whole packets do */

	{ UDP6, DROP + GUARD_DHCP_SERVER, TO(546) }, /* the port of clients */
	{ UDP6, PASS, HAS_PORT }, /* any other port */
	{ UDP6, HIDE, ALWAYS }, /* no ports */

	{ ICMP6, DROP + GUARD_MLD_QUERY, TYPE(130) }, /* RFC 2710, RFC 3810 */
	{ ICMP6, DROP + GUARD_RA, TYPE(134) }, /* RFC 4861 */
	{ ICMP6, DROP + GUARD_REDIRECT, TYPE(137) }, /* RFC 4861 */
	{ ICMP6, PASS, HAS_TYPE }, /* neighbours, echo, reports, errors */
	{ ICMP6, HIDE, ALWAYS }, /* no type */
};
/* clang-format on */

/* ---- rules for the kernel */

static void to_bytes(uint8_t *bytes, uint64_t number, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)(number >> (8 * (count - 1 - i)));
}

static void put_match(struct nftnl_rule *made, const struct rule *rule)
{
	uint8_t bytes[sizeof(rule->value)];

	if (rule->load == NOTHING)
		return;
	if (rule->load == META)
		nft_load_meta(made, (enum nft_meta_keys)rule->what);
	else if (rule->load == PAYLOAD)
		nft_load_payload(made, (enum nft_payload_bases)rule->what,
				 rule->offset, rule->bytes);
	else
		nft_load_header(made, (uint8_t)rule->what, rule->offset,
				rule->bytes);
	if (rule->mask) {
		to_bytes(bytes, rule->mask, rule->bytes);
		nft_mask(made, bytes, rule->bytes);
	}
	to_bytes(bytes, rule->value, rule->bytes);
	nft_compare(made, rule->how, bytes, rule->bytes);
}

static void go_to(struct nft_batch *batch, struct nftnl_rule *made,
		  enum chain end)
{
	if (end == PASS)
		nft_verdict(made, NF_ACCEPT, NULL);
	else
		nft_verdict(made, NFT_GOTO, chain_names[end]);
	nft_add_rule(batch, made);
}

/* Makes the chain of a reason: a frame passes if its VM is allowed to send it;
 * else it is counted and dropped. */
static void put_reason(struct nft_batch *batch, uint32_t reason)
{
	struct nftnl_rule *made;

	if (GUARD_ALLOWABLE & 1U << reason) {
		made = nft_rule(batch, chain_names[DROP + reason]);
		nft_key_interface(made, reason);
		nft_lookup(made, &guard_allowed);
		go_to(batch, made, PASS);
	}
	made = nft_rule(batch, chain_names[DROP + reason]);
	nft_key_interface(made, reason);
	nft_count(made, &guard_dropped);
	nft_verdict(made, NF_DROP, NULL);
	nft_add_rule(batch, made);
}

void guard_rules_put_shared(struct nft_batch *batch)
{
	nft_add_set(batch, &guard_dropped);
	nft_add_set(batch, &guard_allowed);
	for (int i = 0; i < CHAINS; i++) {
		nft_add_chain(batch, chain_names[i], NULL);
		nft_flush_chain(batch, chain_names[i]);
	}
	for (uint32_t i = 0; i < GUARD_REASONS; i++)
		put_reason(batch, i);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct nftnl_rule *made =
			nft_rule(batch, chain_names[rules[i].chain]);

		put_match(made, &rules[i]);
		go_to(batch, made, rules[i].end);
	}
}

/* ---- a TAP's own chain */

void guard_rules_chain(char name[NFT_NAME], const char *tap)
{
	snprintf(name, NFT_NAME, PORT_PREFIX "%.15s", tap);
}

/* Drops broadcast and multicast frames over the rate: the bridge may copy each
 * to a thousand ports. They count before their source is judged: so all do. */
static void put_limit(struct nft_batch *batch, const char *chain, uint32_t rate)
{
	static const uint8_t group_bit = 1; /* in the first byte (IEEE 802) */
	struct nftnl_rule *made = nft_rule(batch, chain);

	nft_load_payload(made, NFT_PAYLOAD_LL_HEADER, 0, 1);
	nft_mask(made, &group_bit, 1);
	nft_compare(made, NFT_CMP_EQ, &group_bit, 1);
	nft_over_limit(made, rate, BURST(rate));
	go_to(batch, made, DROP + GUARD_FLOOD);
}

static void put_chain(struct nft_batch *batch, const struct guard_port *port,
		      bool limits)
{
	struct nftnl_rule *made;
	char chain[NFT_NAME];

	guard_rules_chain(chain, port->tap);
	/* a chain may be there: since Linux 6.16 it outlives its TAP */
	nft_add_chain(batch, chain, port->tap);
	nft_flush_chain(batch, chain);
	if (limits && port->group_rate)
		put_limit(batch, chain, port->group_rate);
	made = nft_rule(batch, chain);
	nft_load_payload(made, NFT_PAYLOAD_LL_HEADER, 6, sizeof(port->mac));
	nft_compare(made, NFT_CMP_EQ, port->mac, sizeof(port->mac));
	go_to(batch, made, FRAMES);
	/* any other source is foreign */
	go_to(batch, nft_rule(batch, chain), DROP + GUARD_FOREIGN);
}

static void put_allowed(struct nft_batch *batch, const struct guard_port *port)
{
	for (uint32_t i = 0; i < GUARD_REASONS; i++) {
		const uint32_t key[GUARD_KEY_WORDS] = { (uint32_t)port->ifindex,
							i };

		if (port->allow & GUARD_ALLOWABLE & 1U << i)
			nft_add_element(batch, &guard_allowed, key);
	}
}

void guard_rules_put_port(struct nft_batch *batch,
			  const struct guard_port *port, bool limits)
{
	put_chain(batch, port, limits);
	put_allowed(batch, port);
}
