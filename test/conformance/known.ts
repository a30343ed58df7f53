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
    scenarios: ['cli/scheduler-flags'],
    because: 'flag-3 of sh is shown and saved by its name; `-b ,` crashes ipvsadm',
  },
  { scenarios: ['cli/schedulers'], because: "Debian's kernel has no twos" },
  { scenarios: ['cli/thresholds'], because: '-S saves thresholds' },
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
  {
    scenarios: ['packets/bad-header-checksum'],
    because: "an IP header's checksum is not looked at: a wrong one is forwarded as wrong, and its receiver drops it",
  },
  {
    scenarios: ['sockets/own-client-gate'],
    because:
      'answers by gate that come back to the director for a client there are not looked for among all that it gets, so they ' +
      'change no state',
  },
  {
    scenarios: ['packets/fragments-cut', 'packets/fragments-tunnel', 'packets/too-large-cut-tunnel'],
    because:
      "IPVS reassembles, and fragments a tunnel's packets, which are to be reassembled at its end; here each fragment goes on " +
      'by itself, and what is too large is cut before it goes into a tunnel',
  },
  { scenarios: ['packets/ip-options-recorded'], because: 'a route that is recorded is passed on as it is' },
];

/** To be taken away, one after the other. */
const notYet: readonly Known[] = [
  { scenarios: ['cli/daemon'], because: 'there is no synchronisation daemon yet' },
  {
    scenarios: ['packets/fragments-reversed'],
    because:
      'fragments that come before the first one of their datagram wait for it only as long as the receive queue lasts',
  },
];

export const known: readonly Known[] = [...onPurpose, ...notYet];
