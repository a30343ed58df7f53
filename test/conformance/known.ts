// What is known to disagree with IPVS. A run fails when something else does, and when something that is listed here agrees.

export interface Known {
  readonly scenarios: readonly string[];
  readonly because: string;
}

/** Meant to stay; docs/differences.md tells users. */
const onPurpose: readonly Known[] = [
  { scenarios: ['cli/help'], because: 'the help names what Fairlead adds' },
  { scenarios: ['cli/restore-errors'], because: '-R restores all lines or none, and says which line is wrong' },
  {
    scenarios: ['life/empty-table'],
    because:
      'IPVS with an empty table leaves packets of open connections to the director, which resets them: -C and then -R end ' +
      'every connection. Here they are dropped until the service is back',
  },
  {
    scenarios: ['life/same-reply-tuple'],
    because:
      'two connections that a masqueraded real server can not tell apart: IPVS gives its answers to the newer and breaks the ' +
      'older, here the newer is refused while the older is open (counted as tuple-in-use)',
  },
  {
    scenarios: ['life/timeouts-of-old'],
    because: '--set holds for connections that are there at once, not from their next packet on',
  },
  {
    scenarios: ['sockets/nat-without-forwarding'],
    because: 'IPVS needs ip_forward=1 for masquerading, Fairlead does not',
  },
  {
    scenarios: ['packets/ipsec-ipv6-ah'],
    because:
      'by IPv6 IPVS takes AH for an extension header and schedules what it protects; here it follows its key exchange, as by ' +
      'IPv4, for only that real server can verify it',
  },
  {
    scenarios: ['packets/no-checksum'],
    because: 'IPVS adds a checksum to masqueraded UDP that has none; here it stays without, as the sender meant it',
  },
];

/** To be taken away, one after the other. */
const notYet: readonly Known[] = [
  { scenarios: ['cli/daemon'], because: 'there is no synchronisation daemon yet' },
  { scenarios: ['cli/save-restore-scripts'], because: 'there is no ipvsadm-save and ipvsadm-restore yet' },
  {
    scenarios: [
      'cli/ipv6',
      'cli/ipv6-persistence',
      'cli/mixed-families',
      'packets/ipv6-gate',
      'packets/ipv6-masq',
      'packets/ipv6-tunnel',
    ],
    because: 'IPv6 is not balanced yet',
  },
  {
    scenarios: ['cli/marks', 'life/marks', 'life/precedence', 'schedule/destinations-hashed'],
    because: 'there are no mark services yet',
  },
  { scenarios: ['cli/one-packet', 'life/one-packet'], because: 'there is no one-packet scheduling yet' },
  { scenarios: ['cli/persistence-engine'], because: 'there are no persistence engines yet' },
  {
    scenarios: [
      ...['cli/persistence', 'life/persistence', 'life/persistence-any-port', 'life/persistence-netmask'],
      ...['life/persistence-template', 'life/quiescent-persistent'],
    ],
    because: 'there is no persistence yet',
  },
  {
    scenarios: ['cli/scheduler-flags', 'schedule/sh-flags', 'schedule/mh-flags'],
    because: 'there are no scheduler flags yet',
  },
  {
    scenarios: ['cli/schedulers', 'schedule/fo', 'schedule/ovf', 'schedule/mh'],
    because: 'the schedulers fo, ovf, mh and twos are not there yet',
  },
  {
    scenarios: ['cli/sctp', 'life/sctp-gate', 'life/sctp-masq', 'life/sctp-tunnel'],
    because: 'SCTP is not balanced yet',
  },
  { scenarios: ['cli/thresholds', 'schedule/thresholds'], because: 'there are no thresholds yet' },
  {
    scenarios: ['packets/bad-header-checksum'],
    because: "an IP header's checksum is not looked at: a wrong one is forwarded as wrong, and opens connections",
  },
  { scenarios: ['packets/fragments'], because: 'IP fragments are left to the director yet' },
  {
    scenarios: ['packets/icmp-from-client', 'packets/icmp-from-server'],
    because: 'ICMP errors about a connection are left to the director yet',
  },
  { scenarios: ['packets/ip-options-recorded'], because: 'a route that is recorded is passed on as it is' },
  {
    scenarios: ['packets/own-errors-counted'],
    because: "the director's own ICMP errors about a connection are not in its service's counters",
  },
  {
    scenarios: ['packets/too-large'],
    because: 'the ICMP fragmentation needed quotes the packet with the TTL that it came with, IPVS with one less',
  },
  { scenarios: ['packets/too-large-cut'], because: 'nothing is fragmented yet' },
];

export const known: readonly Known[] = [...onPurpose, ...notYet];
