// What ipvsadm knows and Fairlead does not do yet: told clearly, before anything changes, never ignored.
import { type Invocation, identityOf } from './invocation.ts';
import type { CommandName } from './options.ts';
import { failureStatus, Refusal } from './refusal.ts';

interface Feature {
  /** The commands that would make it; to all others it is simply not there. */
  readonly of: readonly CommandName[];
  readonly what: string;
  isAsked(invocation: Invocation): boolean;
}

/** Of several the first is told. A line goes when the data plane carries what it names. */
const features: readonly Feature[] = [
  {
    of: ['add-laddr'],
    what: "A local address of another address family than its service's",
    isAsked: ({ localAddress, family }) => localAddress?.family !== family,
  },
];

export function refuseUnsupported(invocation: Invocation): void {
  if (identityOf(invocation) === undefined) return;
  const feature = features.find(({ of, isAsked }) => of.includes(invocation.command) && isAsked(invocation));
  if (feature !== undefined)
    throw new Refusal(failureStatus, `${feature.what} is not supported by this version yet`, 'not-supported');
}
