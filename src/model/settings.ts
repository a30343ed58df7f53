// The settings that IPVS has under net.ipv4.vs: what they may be, what they are at first, and which have no meaning here.
import { FairleadError } from './error.ts';
import { nearestWord } from './nearest.ts';

export interface SettingRange {
  readonly initial: number;
  readonly least: number;
  readonly most: number;
}

const int = (initial: number): SettingRange => ({ initial, least: -(2 ** 31), most: 2 ** 31 - 1 });
/** 0: off; 1 and 2: by need, and 2 while there is some; 3: on. */
const defence: SettingRange = { initial: 0, least: 0, most: 3 };
/** The kernel takes as many as INT_MAX jiffies; this is that at the highest HZ. */
const seconds = (initial: number): SettingRange => ({ initial, least: 0, most: 2_147_483 });

/** Source: vs_vars of ip_vs_ctl.c, vs_vars_table of ip_vs_lblc.c and ip_vs_lblcr.c; ranges as their handlers have them. */
const ranges = {
  am_droprate: int(10),
  amemthresh: int(1024),
  cache_bypass: int(0),
  conn_reuse_mode: int(1),
  drop_entry: defence,
  drop_packet: defence,
  expire_nodest_conn: int(0),
  expire_quiescent_template: int(0),
  lblc_expiration: seconds(86_400),
  lblcr_expiration: seconds(86_400),
  nat_icmp_send: int(0),
  pmtu_disc: int(1),
  run_estimation: int(1),
  schedule_icmp: int(0),
  secure_tcp: defence,
  sloppy_sctp: int(0),
  sloppy_tcp: int(0),
} as const;

export type SettingName = keyof typeof ranges;
export type Settings = Readonly<Record<SettingName, number>>;

export const settingNames = Object.keys(ranges) as readonly SettingName[];
export const initialSettings = Object.fromEntries(settingNames.map((name) => [name, ranges[name].initial])) as Settings;
export function settingRange(name: SettingName): SettingRange {
  return ranges[name];
}

/** Modes that the data plane changes by itself. */
export const defenceNames = settingNames.filter((name) => ranges[name] === defence);

const noSync = 'connections are not synchronised with another director yet';
const noEstimators = "the rates are moved on by the kernel's timer, not by threads";
const ownSize = "the connection table's size is chosen by fairlead attach --connections";

/** By name: why it has no meaning here. */
export const meaningless: Readonly<Record<string, string>> = {
  backup_only: noSync,
  conn_lfactor: ownSize,
  conn_max: ownSize,
  conntrack: 'packets are forwarded before netfilter sees them, so nothing tracks their connections',
  debug_level: "messages for the kernel's log are not written; fairlead trace tells what happens to a packet",
  est_cpulist: noEstimators,
  est_nice: noEstimators,
  ignore_tunneled: 'what came out of a tunnel is never balanced again, as with 1',
  snat_reroute: "answers are always routed by their client's address alone",
  svc_lfactor: 'the table of services grows by itself',
  sync_persist_mode: noSync,
  sync_ports: noSync,
  sync_qlen_max: noSync,
  sync_refresh_period: noSync,
  sync_retries: noSync,
  sync_sock_size: noSync,
  sync_threshold: noSync,
  sync_version: noSync,
};

const prefix = /^net[./]ipv4[./]vs[./]/;

/** A setting that has a meaning, by its name here or as sysctl writes it. */
export function parseSettingName(text: string): SettingName {
  const name = knownName(text);
  const reason = meaningless[name];
  if (reason !== undefined) throw new FairleadError('not-supported', `${name} has no meaning here: ${reason}`);
  return name as SettingName;
}

/** Any setting, also one without a meaning. */
export function knownName(text: string): string {
  const name = text.trim().replace(prefix, '');
  const known = [...settingNames, ...Object.keys(meaningless)].sort();
  if (known.includes(name)) return name;
  const nearest = nearestWord(name, known);
  throw new FairleadError(
    'bad-input',
    `expected the name of a setting, got ${JSON.stringify(name)}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`,
    { hint: "'fairlead settings' lists them" },
  );
}

/** As the kernel reads one: decimal, or hexadecimal after 0x. */
export function parseSettingValue(name: SettingName, text: string): number {
  const number = /^\s*-?(0x[0-9a-f]+|\d+)\s*$/i.test(text) ? toNumber(text.trim()) : Number.NaN;
  const { least, most } = ranges[name];
  // + 0 makes 0 of -0.
  if (number >= least && number <= most) return number + 0;
  throw new FairleadError(
    'out-of-range',
    `${name}: expected a number from ${least} to ${most}, got ${JSON.stringify(text)}`,
  );
}

/** `NAME=VALUE`, with blanks as in sysctl.conf. */
export function parseAssignment(text: string): readonly [SettingName, number] {
  const [, name = '', value = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const known = parseSettingName(name);
  return [known, parseSettingValue(known, value)];
}

function toNumber(text: string): number {
  return text.startsWith('-') ? -Number(text.slice(1)) : Number(text);
}
