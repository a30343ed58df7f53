// A socket's text by lines.
import type { Socket } from 'node:net';

/** Of a line without an end. */
const mostCharacters = 4096;

export function onLines(socket: Socket, take: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    const lines = (rest + text).split(/\r?\n/);
    rest = (lines.pop() ?? '').slice(-mostCharacters);
    for (const line of lines) if (!socket.destroyed) take(line);
  });
}
