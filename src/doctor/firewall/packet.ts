// What is known of a packet that a firewall may drop, in nft's words.

export interface Packet {
  /** That it has, as nft names them: no rule about another one matches. */
  readonly headers: readonly string[];
  /** What is known of it, as nft names fields: `ip daddr`, `tcp dport`, `ct state`, `meta iifname`. */
  readonly fields: Readonly<Record<string, string | number>>;
  /** TCP's, a bit each. */
  readonly flags?: number;
  /** The first of a connection: only such ones meet chains of type nat. */
  readonly isFirst: boolean;
}

/** What is known of a connection of TCP. */
export interface Attempt {
  /** Of the server: the VIP, mostly. */
  readonly address: string;
  readonly port: number;
  readonly client?: string | undefined;
  /** By which it comes and is answered, where there is but one that it can be. */
  readonly interface?: string | undefined;
}

/** In the order of their bits. */
export const flagNames: readonly string[] = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg', 'ecn', 'cwr'];
const [syn, ack] = [1 << 1, 1 << 4];

/** The SYN. */
export function request({ address, port, client, interface: by }: Attempt): Packet {
  const ip = isSix(address) ? 'ip6' : 'ip';
  return {
    headers: tcpHeaders(address),
    fields: {
      ...tcpFields(address),
      [`${ip} daddr`]: address,
      ...(client === undefined ? {} : { [`${ip} saddr`]: client }),
      ...{ 'tcp dport': port, 'th dport': port, 'ct state': 'new' },
      ...(by === undefined ? {} : { 'meta iifname': by, 'meta iif': by }),
    },
    flags: syn,
    isFirst: true,
  };
}

/** The answer to it. */
export function reply({ address, port, client, interface: by }: Attempt): Packet {
  const ip = isSix(address) ? 'ip6' : 'ip';
  return {
    headers: tcpHeaders(address),
    fields: {
      ...tcpFields(address),
      [`${ip} saddr`]: address,
      ...(client === undefined ? {} : { [`${ip} daddr`]: client }),
      ...{ 'tcp sport': port, 'th sport': port, 'ct state': 'established' },
      ...(by === undefined ? {} : { 'meta oifname': by, 'meta oif': by }),
    },
    flags: syn | ack,
    isFirst: false,
  };
}

/** Who has the VIP, by ARP or neighbour discovery. */
export function questionFor(vip: string, comesBy: string): Packet {
  const by = { 'meta iifname': comesBy, 'meta iif': comesBy };
  if (!isSix(vip))
    return {
      headers: ['ether', 'arp'],
      fields: { ...by, ...ofType('arp'), 'arp operation': 'request', 'arp daddr ip': vip },
      isFirst: false,
    };
  const fields = { 'ip6 nexthdr': 'ipv6-icmp', 'meta l4proto': 'ipv6-icmp', 'icmpv6 type': 'nd-neighbor-solicit' };
  return {
    headers: ['ether', 'ip6', 'icmpv6', 'th'],
    fields: { ...by, ...ofType('ip6'), ...fields, 'meta nfproto': 'ipv6', 'ip6 hoplimit': 255 },
    isFirst: false,
  };
}

/** Where connection tracking may have been told to leave it alone, its state is not known. */
export function withoutState({ fields, ...rest }: Packet): Packet {
  const { 'ct state': _, ...known } = fields;
  return { ...rest, fields: known };
}

function tcpHeaders(vip: string): Packet['headers'] {
  return ['ether', isSix(vip) ? 'ip6' : 'ip', 'tcp', 'th'];
}

function tcpFields(vip: string): Packet['fields'] {
  return {
    ...ofType(isSix(vip) ? 'ip6' : 'ip'),
    [isSix(vip) ? 'ip6 nexthdr' : 'ip protocol']: 'tcp',
    'meta l4proto': 'tcp',
    'meta nfproto': isSix(vip) ? 'ipv6' : 'ipv4',
  };
}

function ofType(type: string): Packet['fields'] {
  return { 'ether type': type, 'meta protocol': type };
}

function isSix(address: string): boolean {
  return address.includes(':');
}
