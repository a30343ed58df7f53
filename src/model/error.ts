// Every failure a user can meet, by code; messages, exit codes and HTTP statuses derive from the code.
export const errorCodes = [
  'service-exists',
  'service-missing', // delete, edit, zero, list
  'service-undefined', // a destination of a service that is not there
  'destination-exists',
  'destination-missing',
  'local-address-exists',
  'local-address-missing',
  'scheduler-unknown', // or the persistence engine
  'daemon-exists',
  'daemon-missing',
  'mark-rule-missing',
  'address-unusable',
  'out-of-range',
  'not-supported',
  'table-full',
  'not-root',
  'not-allowed', // by the API: no token, or none of the role
  'changed', // since whoever asks has looked
  'no-bpf',
  'interface-missing',
  'hook-busy',
  'not-attached',
  'bad-input',
  'kernel',
] as const;
export type ErrorCode = (typeof errorCodes)[number];

export class FairleadError extends Error {
  readonly code: ErrorCode;
  /** What to do about it, when that is known. */
  readonly hint: string | undefined;
  /** The service or destination it happened to, by its key, when it is one of many. */
  subject: string | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; hint?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'FairleadError';
    this.code = code;
    this.hint = options.hint;
  }
}

/** What fails in here is about this subject, unless it is about one within it already. */
export function about<T>(subject: string | (() => string), work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof FairleadError) error.subject ??= typeof subject === 'string' ? subject : subject();
    throw error;
  }
}
