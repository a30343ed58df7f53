// Does it answer a question as a DNS server?
import { equalAddresses, readAddress } from '../../model/address.ts';
import type { DnsChecker } from '../../model/check.ts';
import { withConnection } from '../connection.ts';
import { sendDatagram } from '../datagrams.ts';
import { type DnsAnswer, decodeAnswer, encodeQuestion } from '../dns-message.ts';
import { abortion } from '../reason.ts';
import type { Target } from '../target.ts';
import { down, type Finding, up } from '../verdict.ts';

const codes: Readonly<Record<number, string>> = {
  1: 'it did not understand the question (FORMERR)',
  2: 'it failed (SERVFAIL)',
  3: 'there is no such name (NXDOMAIN)',
  4: 'it does not know this kind of question (NOTIMP)',
  5: 'it refuses the question (REFUSED)',
};

export async function checkDns(target: Target, checker: DnsChecker, signal: AbortSignal): Promise<Finding> {
  const { name, type, transport } = checker;
  const id = Math.floor(Math.random() * 0x10000);
  const question = encodeQuestion(id, name, type);
  let isCut = false;
  if (transport === 'udp') {
    const finding = await sendDatagram(target, question, signal, {
      reply: (message) => {
        const answer = decodeAnswer(message, type);
        if (answer?.id !== id) return undefined;
        isCut = answer.isCut;
        return judge(answer, checker);
      },
      silence: () => down(abortion(signal)),
    });
    if (!isCut) return finding;
  }
  return askByTcp(target, checker, id, question, signal);
}

function askByTcp(
  target: Target,
  checker: DnsChecker,
  id: number,
  question: Buffer,
  signal: AbortSignal,
): Promise<Finding> {
  return withConnection(target, signal, (socket, settle) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(question.length);
    socket.write(Buffer.concat([length, question]));
    let reply = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      reply = Buffer.concat([reply, bytes]);
      if (reply.length < 2 || reply.length < 2 + reply.readUInt16BE(0)) return;
      const answer = decodeAnswer(reply.subarray(2, 2 + reply.readUInt16BE(0)), checker.type);
      settle(answer?.id === id ? judge(answer, checker) : down('its answer is malformed'));
    });
  });
}

function judge({ code, records }: DnsAnswer, { name, type, answers }: DnsChecker): Finding {
  const asked = `${name} ${type}`;
  if (code !== 0) return down(`${asked}: ${codes[code] ?? `it answered with error ${code}`}`);
  if (records.length === 0) return down(`${asked}: the name has no such record`);
  const found = `${asked} is ${records.join(', ')}`;
  if (answers.length === 0 || records.some((one) => answers.some((answer) => isSame(one, answer)))) return up(found);
  return down(`${found}, expected ${answers.join(' or ')}`);
}

/** Names know no case, and may end in a dot; addresses have many spellings. */
function isSame(one: string, other: string): boolean {
  const [a, b] = [readAddress(one), readAddress(other)];
  if (a !== undefined && b !== undefined) return equalAddresses(a, b);
  const plain = (text: string): string => text.toLowerCase().replace(/\.$/, '');
  return plain(one) === plain(other);
}
