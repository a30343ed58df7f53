// How a failure reads on ipvsadm's stderr and what exit status it gives: ipvsadm 1.31's texts, from our error codes.
import { type ErrorCode, FairleadError } from '../../model/error.ts';

/** ipvsadm's own refusals of a command line. */
export const usageStatus = 2;
/** What popt or the kernel refuses: main() returns -1. */
export const failureStatus = 255;

/** A refusal with a text and an exit status of its own. */
export class Refusal extends FairleadError {
  readonly status: number;

  constructor(status: number, message: string, code: ErrorCode = 'bad-input') {
    super(code, message);
    this.name = 'Refusal';
    this.status = status;
  }
}

export function refuse(message: string): never {
  throw new Refusal(usageStatus, message);
}

/** For a command line that names no command: popt's callers are sent to the help. */
export function tryHelp(): Refusal {
  return new Refusal(failureStatus, "Try `ipvsadm -h' or 'ipvsadm --help' for more information.");
}

export function statusOf(error: FairleadError): number {
  if (error instanceof Refusal) return error.status;
  return error.code === 'not-root' ? usageStatus : failureStatus;
}

export function textOf(error: FairleadError): string {
  if (error instanceof Refusal) return error.message;
  const text = ipvsTexts[error.code];
  if (text !== undefined) return text;
  return error.hint === undefined ? error.message : `${error.message}\n${error.hint}`;
}

/** Source: libipvs' ipvs_strerror, and main() for the first; the local addresses are ours. */
const ipvsTexts: Partial<Record<ErrorCode, string>> = {
  'not-root':
    "Can't initialize ipvs: Permission denied (you must be root)\n" +
    'Are you sure that IP Virtual Server is built in the kernel or as module?',
  'service-exists': 'Service already exists',
  'service-missing': 'No such service',
  'service-undefined': 'Service not defined',
  'destination-exists': 'Destination already exists',
  'destination-missing': 'No such destination',
  'local-address-exists': 'Local address already exists',
  'local-address-missing': 'No such local address',
  'daemon-exists': 'Daemon has already run',
  'daemon-missing': 'No daemon is running',
  'scheduler-unknown': 'Scheduler or persistence engine not found',
  'address-unusable': 'Invalid operation.  Possibly wrong module version, address not unicast, ...',
  'out-of-range': 'Numerical result out of range',
};
