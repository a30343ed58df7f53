// The words of a line that iptables-save prints.

/** As iptables-restore takes a line apart: blanks separate, double quotes hold together, a backslash takes what follows it. */
export function splitWords(line: string): readonly string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/(?:[^\s"\\]|\\.|"(?:[^"\\]|\\.)*")+/g)) {
    words.push(word.replace(/\\(.)|"/g, (_, escaped: string | undefined) => escaped ?? ''));
  }
  return words;
}
