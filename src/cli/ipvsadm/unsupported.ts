// What ipvsadm knows and Fairlead does not do yet: told clearly, before anything changes, never ignored.
import { FairleadError } from '../../model/error.ts';
import { type Invocation, identityOf } from './invocation.ts';
import type { OptionName } from './options.ts';
import { failureStatus, Refusal } from './refusal.ts';

export function refuseUnsupported(invocation: Invocation): void {
  const what = unsupportedPart(invocation);
  if (what !== undefined) throw notSupported(what);
}

export function notSupported(what: string): Refusal {
  return new Refusal(failureStatus, `${what} is not supported by this version yet`, 'not-supported');
}

/** Only where something would be made: what can't be there is simply missing to the commands that look for it. */
function unsupportedPart(invocation: Invocation): string | undefined {
  switch (invocation.command) {
    case 'add-service':
      return unsupportedIdentity(invocation) ?? unsupportedSettings(invocation);
    case 'edit-service':
      return unsupportedSettings(invocation);
    case 'add-server':
    case 'edit-server':
      return unsupportedDestination(invocation);
    default:
      return undefined;
  }
}

function unsupportedIdentity(invocation: Invocation): string | undefined {
  return identityOf(invocation)?.kind === 'mark' ? "The '-f/--fwmark-service' option" : undefined;
}

const spellings: Partial<Record<OptionName, string>> = {
  persistent: '-p/--persistent',
  netmask: '-M/--netmask',
  pe: '--pe',
  ops: '-o/--ops',
  'sched-flags': '-b/--sched-flags',
};

/** Schedulers of IPVS; any other name is unknown to both. */
const schedulersToCome = ['fo', 'ovf', 'mh', 'none'];

function unsupportedSettings({ given, scheduler }: Invocation): string | undefined {
  for (const name of given) {
    const spelling = spellings[name];
    if (spelling !== undefined) return `The '${spelling}' option`;
  }
  return schedulersToCome.includes(scheduler) ? `The '${scheduler}' scheduler` : undefined;
}

function unsupportedDestination(invocation: Invocation): string | undefined {
  const { lowerThreshold, upperThreshold, tunnelType, rip } = invocation;
  if (lowerThreshold > upperThreshold) {
    throw new FairleadError(
      'out-of-range',
      `the lower threshold ${lowerThreshold} is above the upper ${upperThreshold}`,
    );
  }
  if (upperThreshold > 0) return "The '-x/--u-threshold' option";
  if (tunnelType !== 'ipip') return `The '${tunnelType}' tunnel type of --tun-type`;
  const identity = identityOf(invocation);
  const family = identity?.kind === 'address' ? identity.vip.family : rip?.family;
  return rip?.family === family ? undefined : "A real server of another address family than its service's";
}
