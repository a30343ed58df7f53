// What scenarios may use, and what Fairlead lacks of it: generated scenarios keep away from that.

export type Feature =
  | 'ipv6'
  | 'persistence'
  | 'one-packet'
  | 'scheduler-flags'
  | 'fo, ovf and mh'
  | 'sctp'
  | 'thresholds'
  | 'gre and gue'
  | 'settings';

export const lacking: readonly Feature[] = ['gre and gue'];

export const has = (feature: Feature): boolean => !lacking.includes(feature);
export const schedulers: readonly string[] = [
  ...['rr', 'wrr', 'lc', 'wlc', 'sed', 'nq', 'sh', 'dh', 'lblc', 'lblcr'],
  ...(has('fo, ovf and mh') ? ['fo', 'ovf', 'mh'] : []),
];
