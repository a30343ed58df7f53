// What can be wrong, as the doctor tells it: each problem with its reason, its evidence, and the command that mends it.

export const problemIds = [
  'arp',
  'vip-missing',
  'vip-not-on-director',
  'vip-as-source',
  'vip-prefix',
  'unanswered',
  'nat-gateway',
  'dr-gateway',
  'other-network',
  'port-mapping',
  'rp-filter',
  'no-decapsulator',
  'tunnel-mtu',
  'forwarding-off',
  'local-ports',
  'two-directors',
  'address-taken',
  'no-route',
  'wrong-neighbour',
  'firewall',
  'conntrack-full',
  'not-attached',
  'foreign-program',
  'xdp-on-veth',
  'kernel',
  'table-full',
  'quiesced',
  'asymmetric',
] as const;
export type ProblemId = (typeof problemIds)[number];

export interface Problem {
  readonly id: ProblemId;
  readonly wrong: string;
  /** Why that matters, for this method. */
  readonly why: string;
  readonly evidence: string;
  readonly mend: Mend;
}

export interface Mend {
  readonly command: string;
  /** The machine to run it on; absent: this one. */
  readonly on?: string;
  /** It touches nothing but what is wrong, and can be repeated: --fix runs it, where it is for this machine. */
  readonly isSafe: boolean;
}

/** In place of an address, for what only the machine's first network namespace can do, and this is another. */
export const machineItself = 'the machine itself, outside of this network namespace';
