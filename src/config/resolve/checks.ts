// Health checks with each default in its place.
import {
  type Check,
  type Checker,
  checkDefaults,
  type Expectation,
  type NumberRange,
  type ProbeTarget,
  type Tls,
} from '../../model/check.ts';
import type { Path } from '../problem.ts';
import {
  checkKinds,
  type WrittenCheck,
  type WrittenCheckSettings,
  type WrittenDns,
  type WrittenExec,
  type WrittenHttp,
  type WrittenTls,
} from '../schema/checks.ts';
import type { Problems } from './problems.ts';

const statuses: readonly NumberRange[] = [{ first: 200, last: 399 }];

export function resolveCheck(
  written: WrittenCheck,
  defaults: WrittenCheckSettings,
  path: Path,
  problems: Problems,
): Check {
  const said = { ...defaults, ...written };
  const intervalMs = said.interval ?? checkDefaults.intervalMs;
  const timeoutMs = said.timeout ?? Math.min(checkDefaults.timeoutMs, intervalMs / 2);
  if (timeoutMs > intervalMs)
    problems.add([...path, 'timeout'], 'expected a timeout that is not longer than the interval');
  const jitter = said.jitter ?? { share: checkDefaults.jitterShare };
  const jitterMs = 'share' in jitter ? intervalMs * jitter.share : jitter.milliseconds;
  if (jitterMs > intervalMs)
    problems.add([...path, 'jitter'], 'expected a jitter that is not longer than the interval');
  return {
    checker: resolveChecker(written, path, problems),
    intervalMs,
    timeoutMs,
    rise: said.rise ?? checkDefaults.rise,
    fall: said.fall ?? checkDefaults.fall,
    jitterMs,
    retries: said.retry ?? checkDefaults.retries,
    retryDelayMs: said.retry_delay ?? checkDefaults.retryDelayMs,
    warmUpMs: said.warm_up ?? intervalMs,
    initially: said.initially ?? checkDefaults.initially,
    target: resolveTarget(written, path, problems),
  };
}

function resolveTarget(written: WrittenCheck, path: Path, problems: Problems): ProbeTarget {
  const { address, port, source, mark } = written;
  if (address !== undefined && written.path === 'client')
    problems.add([...path, 'path'], 'expected path: direct beside an address, for clients have no way to that one');
  if (address !== undefined && source !== undefined && address.family !== source.family)
    problems.add([...path, 'source'], 'expected a source of the same family as the address');
  return {
    path: address === undefined ? (written.path ?? 'client') : 'direct',
    ...(address && { address }),
    ...(port !== undefined && { port }),
    ...(source && { source }),
    ...(mark !== undefined && { mark }),
  };
}

function resolveChecker(written: WrittenCheck, path: Path, problems: Problems): Checker {
  const kind = checkKinds.find((one) => written[one] !== undefined) ?? 'tcp';
  const below = [...path, kind];
  switch (kind) {
    case 'tcp':
      return tcpChecker(written.tcp ?? {}, below, problems);
    case 'http':
      return httpChecker(kind, written.http ?? {}, below, problems);
    case 'https':
      return { ...httpChecker(kind, written.https ?? {}, below, problems), tls: resolveTls(written.https?.tls ?? {}) };
    case 'dns':
      return dnsChecker(written.dns ?? {});
    case 'udp':
      return udpChecker(written.udp ?? {}, below, problems);
    case 'smtp':
      return smtpChecker(written.smtp ?? {});
    case 'icmp':
      return { kind };
    case 'exec':
      return execChecker(written.exec ?? { command: [] });
    case 'agent':
      return { kind, port: 0, ...without(written.agent ?? {}) };
    case 'passive': {
      const { failures = 5, within = 10_000, pause = 30_000 } = written.passive ?? {};
      return { kind, failures, withinMs: within, pauseMs: pause };
    }
  }
}

/** Without members that are there but undefined. */
function without<Value extends object>(value: Value): { [Name in keyof Value]: Exclude<Value[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [Name in keyof Value]: Exclude<Value[Name], undefined>;
  };
}

function tcpChecker(
  { send, ...wanted }: NonNullable<WrittenCheck['tcp']>,
  path: Path,
  problems: Problems,
): Extract<Checker, { kind: 'tcp' }> {
  const expect = expectation(wanted, path, problems);
  return { kind: 'tcp', ...(send !== undefined && { send }), ...(expect && { expect }) };
}

function httpChecker(
  kind: 'http' | 'https',
  { method, path: asked, host, headers, status, tls: _, ...wanted }: WrittenHttp,
  path: Path,
  problems: Problems,
): Extract<Checker, { kind: 'http' | 'https' }> {
  const body = expectation(wanted, path, problems);
  return {
    kind,
    method: method ?? 'GET',
    path: asked ?? '/',
    ...(host !== undefined && { host }),
    headers: headers ?? {},
    statuses: status ?? statuses,
    ...(body && { body }),
  };
}

function resolveTls({ verify, ca, ...rest }: WrittenTls): Tls {
  return { isVerified: verify ?? true, ...without({ ...rest, authorities: ca }) };
}

function dnsChecker({ name = '.', type, transport, answer }: WrittenDns): Checker {
  return {
    kind: 'dns',
    name,
    type: type ?? (name === '.' ? 'SOA' : 'A'),
    transport: transport ?? 'udp',
    answers: answer ?? [],
  };
}

function udpChecker(
  { send, send_hex, reply, ...wanted }: NonNullable<WrittenCheck['udp']>,
  path: Path,
  problems: Problems,
): Checker {
  if (send !== undefined && send_hex !== undefined) problems.add(path, 'expected just one of send and send_hex');
  const expect = expectation(wanted, path, problems);
  return {
    kind: 'udp',
    sendHex: (send_hex ?? Buffer.from(send ?? '', 'utf8').toString('hex')).toLowerCase(),
    isReplyRequired: reply === 'required' || expect !== undefined,
    ...(expect && { expect }),
  };
}

function smtpChecker({ helo, tls }: NonNullable<WrittenCheck['smtp']>): Checker {
  return { kind: 'smtp', helo: helo ?? 'fairlead', ...(tls && { tls: resolveTls(tls) }) };
}

function execChecker({ command, user, sets_weight }: WrittenExec): Checker {
  return { kind: 'exec', command, ...(user !== undefined && { user }), setsWeight: sets_weight ?? false };
}

/** By the key that is written; one of them at most. */
interface Wanted {
  readonly expect?: string | undefined;
  readonly expect_regex?: string | undefined;
  readonly refuse_regex?: string | undefined;
  readonly body?: string | undefined;
  readonly body_regex?: string | undefined;
  readonly body_refuse_regex?: string | undefined;
  readonly md5?: string | undefined;
  readonly sha256?: string | undefined;
  readonly regex_flags?: string | undefined;
}

function expectation(
  { regex_flags: flags, ...wanted }: Wanted,
  path: Path,
  problems: Problems,
): Expectation | undefined {
  const given = Object.entries(wanted).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const [first, second] = given;
  if (second !== undefined) problems.add([...path, second[0]], `expected just one of ${first?.[0]} and ${second[0]}`);
  const [name, value] = first ?? [];
  if (flags !== undefined && !name?.endsWith('regex'))
    problems.add([...path, 'regex_flags'], 'expected regex_flags only beside a regular expression');
  if (name === undefined || value === undefined) return undefined;
  if (name.endsWith('regex'))
    return { kind: 'regex', source: value, flags: flags ?? '', isForbidden: name.includes('refuse') };
  if (name === 'md5' || name === 'sha256') return { kind: 'digest', algorithm: name, hex: value.toLowerCase() };
  return { kind: 'text', text: value };
}
