// Does it answer a question as a DNS server?
import { promises } from 'node:dns';
import { formatAddress, formatEndpoint } from '../../model/address.ts';
import type { DnsChecker } from '../../model/check.ts';
import { abortion } from '../reason.ts';
import type { Target } from '../target.ts';
import { down, type Finding, up } from '../verdict.ts';

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  EREFUSED: 'it refuses the question',
  ESERVFAIL: 'it failed (SERVFAIL)',
  ENOTFOUND: 'there is no such name (NXDOMAIN)',
  ENODATA: 'the name has no such record',
  EFORMERR: 'it did not understand the question (FORMERR)',
  ENOTIMP: 'it does not know this kind of question (NOTIMP)',
  EBADRESP: 'its answer is malformed',
  ETIMEOUT: 'no answer',
};

export async function checkDns(
  { address, port, source }: Target,
  { name, type, answers }: DnsChecker,
  signal: AbortSignal,
): Promise<Finding> {
  // The resolver's own patience is longer than any probe's: the signal ends it.
  const resolver = new promises.Resolver({ timeout: 60_000, tries: 1 });
  resolver.setServers([formatEndpoint(address, port)]);
  if (source !== undefined) resolver.setLocalAddress(formatAddress(source));
  const cancel = (): void => resolver.cancel();
  signal.addEventListener('abort', cancel);
  try {
    const found = formatRecords(await resolver.resolve(name, type));
    if (answers.length === 0 || found.some((one) => answers.some((answer) => isSame(one, answer)))) {
      return up(`${name} ${type} is ${found.join(', ')}`);
    }
    return down(`${name} ${type} is ${found.join(', ')}, expected ${answers.join(' or ')}`);
  } catch (error) {
    if (signal.aborted) return down(abortion(signal));
    const { code = '', message } = error as NodeJS.ErrnoException;
    return down(`${name} ${type}: ${words[code] ?? message}`);
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** Names know no case, and may end in a dot. */
function isSame(one: string, other: string): boolean {
  const plain = (text: string): string => text.toLowerCase().replace(/\.$/, '');
  return plain(one) === plain(other);
}

/** As zone files write them. */
function formatRecords(records: unknown): string[] {
  return (Array.isArray(records) ? records : [records]).map((record: unknown) => {
    if (typeof record === 'string') return record;
    if (Array.isArray(record)) return record.join('');
    return formatFields(record as Readonly<Record<string, string | number>>);
  });
}

const fieldOrder = ['priority', 'weight', 'port', 'name', 'exchange'];
const soaOrder = ['nsname', 'hostmaster', 'serial', 'refresh', 'retry', 'expire', 'minttl'];

function formatFields(record: Readonly<Record<string, string | number>>): string {
  const order = 'nsname' in record ? soaOrder : fieldOrder;
  return order.flatMap((field) => record[field] ?? []).join(' ');
}
