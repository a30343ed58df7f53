// The words of one line of keepalived.conf: quotes hold blanks, and comments end it.

/** `{` and `}` are words of their own. */
export function splitWords(line: string): readonly string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  const end = (): void => {
    if (word !== undefined) words.push(word);
    word = undefined;
  };
  for (let at = 0; at < line.length; at++) {
    const letter = line[at] ?? '';
    const next = line[at + 1];
    if (letter === '\\' && quote !== undefined && (next === '"' || next === "'")) {
      word = `${word ?? ''}${next}`;
      at++;
    } else if (quote !== undefined) {
      if (letter === quote) quote = undefined;
      else word = `${word ?? ''}${letter}`;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
      word ??= '';
    } else if (letter === '#' || letter === '!') break;
    else if (/\s/.test(letter)) end();
    else if ((letter === '{' || letter === '}') && word === undefined) words.push(letter);
    else word = `${word ?? ''}${letter}`;
  }
  end();
  return words;
}

/** A program and its arguments, as keepalived takes a script's text apart. */
export function splitCommand(text: string): readonly string[] {
  const words = text.match(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g) ?? [];
  return words.map((word) => word.replace(/'([^']*)'|"([^"]*)"/g, (_, single, double) => single ?? double ?? ''));
}
