// The one table of ipvsadm's options: how each is spelled, what it takes, and what messages call it.

/** Commands as messages name them; the order is the help's. */
export type CommandName =
  | 'add-service'
  | 'edit-service'
  | 'delete-service'
  | 'flush'
  | 'list'
  | 'add-server'
  | 'delete-server'
  | 'edit-server'
  | 'set'
  | 'start-daemon'
  | 'stop-daemon'
  | 'restore'
  | 'save'
  | 'zero'
  | 'add-laddr'
  | 'del-laddr'
  | 'get-laddr'
  | 'help'
  | 'version';

/** Options as messages name them, in the order in which a command line is checked for them. */
export const optionNames = [
  'numeric',
  'connection',
  'service-address',
  'scheduler',
  'persistent',
  'netmask',
  'real-server',
  'forwarding-method',
  'weight',
  'u-threshold',
  'l-threshold',
  'mcast-interface',
  'timeout',
  'daemon',
  'stats',
  'rate',
  'thresholds',
  'persistent-conn',
  'nosort',
  'syncid',
  'exact',
  'ops',
  'pe',
  'sched-flags',
  'mcast-group',
  'mcast-port',
  'mcast-ttl',
  'sync-maxlen',
  'tun-info',
  'tun-type',
  'tun-port',
  'tun-nocsum',
  'tun-csum',
  'tun-remcsum',
  'strict',
  'local-address',
  'mss-clamp',
  'uoa',
] as const;
export type OptionName = (typeof optionNames)[number];

export interface OptionSpec {
  readonly long: string;
  /** One letter each; `list` has two. */
  readonly shorts: string;
  readonly argument: 'none' | 'required' | 'optional';
  /** What this option is as the first one; options that are no command leave it out. */
  readonly command?: CommandName;
  /** What this option counts as, once each; --sort and -6 count as nothing. */
  readonly name?: OptionName;
}

export const options: readonly OptionSpec[] = [
  command('add-service', 'A', 'add-service'),
  command('edit-service', 'E', 'edit-service'),
  command('delete-service', 'D', 'delete-service'),
  command('clear', 'C', 'flush'),
  command('list', 'Ll', 'list'),
  command('zero', 'Z', 'zero'),
  command('add-server', 'a', 'add-server'),
  command('edit-server', 'e', 'edit-server'),
  command('delete-server', 'd', 'delete-server'),
  command('set', '', 'set'),
  command('help', 'h', 'help'),
  command('version', 'v', 'version'),
  command('restore', 'R', 'restore'),
  command('save', 'S', 'save'),
  { ...command('start-daemon', '', 'start-daemon'), argument: 'required' },
  { ...command('stop-daemon', '', 'stop-daemon'), argument: 'required' },
  command('add-laddr', '', 'add-laddr'),
  command('del-laddr', '', 'del-laddr'),
  command('get-laddr', '', 'get-laddr'),
  valued('tcp-service', 't', 'service-address'),
  valued('udp-service', 'u', 'service-address'),
  valued('sctp-service', '', 'service-address'),
  valued('fwmark-service', 'f', 'service-address'),
  valued('scheduler', 's'),
  { ...valued('persistent', 'p'), argument: 'optional' },
  valued('netmask', 'M'),
  valued('real-server', 'r'),
  flag('masquerading', 'm', 'forwarding-method'),
  flag('ipip', 'i', 'forwarding-method'),
  flag('gatewaying', 'g', 'forwarding-method'),
  flag('fullnat', '', 'forwarding-method'),
  valued('weight', 'w'),
  valued('u-threshold', 'x'),
  valued('l-threshold', 'y'),
  flag('numeric', 'n'),
  flag('connection', 'c'),
  valued('mcast-interface', ''),
  valued('mcast-group', ''),
  valued('mcast-port', ''),
  valued('mcast-ttl', ''),
  valued('syncid', ''),
  valued('sync-maxlen', ''),
  flag('timeout', ''),
  flag('daemon', ''),
  flag('stats', ''),
  flag('rate', ''),
  flag('thresholds', ''),
  flag('persistent-conn', ''),
  flag('tun-info', ''),
  flag('nosort', ''),
  { long: 'sort', shorts: '', argument: 'none' },
  flag('exact', 'X'),
  { long: 'ipv6', shorts: '6', argument: 'none' },
  flag('ops', 'o'),
  valued('pe', ''),
  valued('sched-flags', 'b'),
  valued('tun-type', ''),
  valued('tun-port', ''),
  flag('tun-nocsum', ''),
  flag('tun-csum', ''),
  flag('tun-remcsum', ''),
  valued('local-address', 'z'),
  { ...valued('mss-clamp', ''), argument: 'optional' },
  valued('uoa', ''),
  flag('strict', ''),
];

function command(long: string, shorts: string, name: CommandName): OptionSpec {
  return { long, shorts, argument: 'none', command: name };
}

function flag(long: string, shorts: string, name = long as OptionName): OptionSpec {
  return { long, shorts, argument: 'none', name };
}

function valued(long: string, shorts: string, name = long as OptionName): OptionSpec {
  return { long, shorts, argument: 'required', name };
}
