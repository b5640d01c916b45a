/**
 * The README that the package has: the repository's begins with the two commands of a checkout, and whoever
 * reads the package has none. Both are one text otherwise. Pure.
 */

const START = `\`\`\`sh
npm install mx8                # needs Linux and Node 24 or later
npx mx8 demo2                  # two nodes, one of them killed on purpose: its work is done by the other
npx mx8 run embed.job.ts --nodes 2 --ram-gb 4
\`\`\`

The last line runs a job of your own, as below: on two nodes of this machine, within 4 GiB of memory. Press Ctrl-C in the
middle and type it again with \`--resume\`: it goes on where it was. In a program, \`load()\` reads data within a memory limit.
\`npx mx8 --help\` lists the commands.
`;

/** What a reader of the package does not have, and what stands there instead. */
const CHANGES: readonly (readonly [from: RegExp, to: string])[] = [
  // From the commands of a checkout to the next heading.
  [/```sh\nnpm ci && npm start .*?(?=\n## A job\n)/s, START],
  // How a checkout becomes a package.
  [/\nIn a project of its own, with Node 24: [^\n]*\n/, ''],
  // The job of `npm start`.
  [/\n- \[examples\/corpus\]\(examples\/corpus\)[^\n]*/, ''],
];

export function packageReadme(readme: string): string {
  return CHANGES.reduce((text, [from, to]) => {
    if (!from.test(text)) throw new Error(`README.md has nothing like ${String(from)} any more`);
    return text.replace(from, () => to);
  }, readme);
}
