// Which option goes with which command: ipvsadm's matrix, and its second one for tunnel types.
import { type CommandName, type OptionName, optionNames } from './options.ts';
import { refuse } from './refusal.ts';

export function checkLegality(command: CommandName, given: ReadonlySet<OptionName>): void {
  const legal = legalOptions[command] ?? {};
  if (isPlain(legal, given)) return;
  check(optionNames, given, ruleOf(legal), (name, problem, other) => {
    refuse(sentence(name, problem, other, `the '${command}' command`));
  });
}

export const tunnelTypes = ['ipip', 'gue', 'gre'] as const;
type TunnelType = (typeof tunnelTypes)[number];

export function checkTunnelLegality(type: TunnelType, given: ReadonlySet<OptionName>): void {
  check(tunnelOptions, given, ruleOf(legalTunnelOptions[type]), (name, problem, other) => {
    refuse(sentence(name, problem, other, `the '${type}' tunnel type`));
  });
}

/** What is in none of the three lists is illegal. */
interface Legal {
  readonly required?: readonly OptionName[];
  readonly optional?: readonly OptionName[];
  /** At most one of these. */
  readonly exclusive?: readonly OptionName[];
}

const serviceOptions: Legal = {
  required: ['service-address'],
  optional: ['scheduler', 'persistent', 'netmask', 'ops', 'pe', 'sched-flags', 'mss-clamp', 'uoa'],
};

const destinationOptions: Legal = {
  required: ['service-address', 'real-server'],
  optional: [
    'forwarding-method',
    'weight',
    'u-threshold',
    'l-threshold',
    'tun-type',
    'tun-port',
    'tun-nocsum',
    'tun-csum',
    'tun-remcsum',
    'strict',
  ],
};

const localAddressOptions: Legal = { required: ['service-address', 'local-address'] };

const legalOptions: Partial<Record<CommandName, Legal>> = {
  'add-service': serviceOptions,
  'edit-service': serviceOptions,
  'delete-service': { required: ['service-address'] },
  list: {
    exclusive: ['connection', 'service-address', 'timeout', 'daemon'],
    optional: ['numeric', 'stats', 'rate', 'thresholds', 'persistent-conn', 'nosort', 'syncid', 'exact', 'tun-info'],
  },
  'add-server': destinationOptions,
  'edit-server': destinationOptions,
  'delete-server': { required: ['service-address', 'real-server'] },
  'start-daemon': {
    optional: ['mcast-interface', 'syncid', 'mcast-group', 'mcast-port', 'mcast-ttl', 'sync-maxlen'],
  },
  'stop-daemon': { optional: ['syncid'] },
  save: { optional: ['numeric'] },
  zero: { optional: ['service-address'] },
  'add-laddr': localAddressOptions,
  'del-laddr': localAddressOptions,
  'get-laddr': { optional: ['service-address', 'numeric'] },
};

const tunnelOptions = ['tun-port', 'tun-nocsum', 'tun-csum', 'tun-remcsum'] as const;

const legalTunnelOptions: Record<TunnelType, Legal> = {
  ipip: {},
  gue: { required: ['tun-port'], exclusive: ['tun-nocsum', 'tun-csum', 'tun-remcsum'] },
  gre: { exclusive: ['tun-nocsum', 'tun-csum'] },
};

type Rule = 'required' | 'optional' | 'exclusive' | 'illegal';
type Problem = 'missing' | 'illegal' | 'conflict';

function ruleOf(legal: Legal): (name: OptionName) => Rule {
  return (name) => {
    if (legal.required?.includes(name)) return 'required';
    if (legal.optional?.includes(name)) return 'optional';
    return legal.exclusive?.includes(name) ? 'exclusive' : 'illegal';
  };
}

/** As nearly all lines are: nothing is missing, and nothing is there that excludes anything. */
function isPlain({ required = [], optional = [] }: Legal, given: ReadonlySet<OptionName>): boolean {
  for (const name of given) if (!required.includes(name) && !optional.includes(name)) return false;
  return required.every((name) => given.has(name));
}

/** One pass in the names' order, so that of several mistakes the same one is told as by ipvsadm. */
function check(
  names: readonly OptionName[],
  given: ReadonlySet<OptionName>,
  ruleFor: (name: OptionName) => Rule,
  report: (name: OptionName, problem: Problem, other: OptionName) => void,
): void {
  let chosen: OptionName | undefined;
  for (const name of names) {
    const rule = ruleFor(name);
    if (!given.has(name)) {
      if (rule === 'required') report(name, 'missing', name);
    } else if (rule === 'illegal') report(name, 'illegal', name);
    else if (rule === 'exclusive') {
      if (chosen !== undefined) report(name, 'conflict', chosen);
      chosen ??= name;
    }
  }
}

function sentence(name: OptionName, problem: Problem, other: OptionName, subject: string): string {
  switch (problem) {
    case 'missing':
      return `You need to supply the '${name}' option for ${subject}`;
    case 'illegal':
      return `Illegal '${name}' option with ${subject}`;
    case 'conflict':
      return `The option '${name}' conflicts with the '${other}' option in ${subject}`;
  }
}
