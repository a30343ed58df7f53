// The client process: asks what each line of its standard input says, over HTTP or UDP, and writes a line for each outcome.
import { createSocket } from 'node:dgram';
import { get } from 'node:http';
import { createInterface } from 'node:readline';
import type { Answer, Question, Reply } from './answer.ts';

function askTcp(question: Question): Promise<string> {
  const { to, port, localPort, timeoutMs, token } = question;
  return new Promise((resolve, reject) => {
    const request = get({ host: to, port, localPort, agent: false, path: `/?token=${token}` }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('error', reject);
      response.on('end', () => resolve(body));
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    request.on('close', () => clearTimeout(timer)).on('error', reject);
  });
}

function askUdp(question: Question): Promise<string> {
  const { to, port, localPort, timeoutMs, token } = question;
  const socket = createSocket('udp4');
  return new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
    socket.on('close', () => clearTimeout(timer)).on('error', reject);
    // Only what comes from the VIP is an answer: a connected socket takes nothing else.
    socket.bind(localPort, () => socket.connect(port, to, () => socket.send(token)));
    socket.on('message', (message) => resolve(message.toString()));
  }).finally(() => socket.close());
}

async function ask(question: Question): Promise<Reply> {
  const { token } = question;
  try {
    const answer: Answer = JSON.parse(await (question.protocol === 'tcp' ? askTcp(question) : askUdp(question)));
    if (answer.token !== token) return { token, failure: `the answer belongs to another request (${answer.token})` };
    return { token, answer };
  } catch (error) {
    return { token, failure: error instanceof Error ? error.message : String(error) };
  }
}

createInterface({ input: process.stdin })
  .on('line', (line) => {
    ask(JSON.parse(line)).then(
      (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`),
      () => undefined,
    );
  })
  .on('close', () => process.exit(0));
process.stdout.write('ready\n');
