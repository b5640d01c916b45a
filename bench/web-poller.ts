/** Asks for /metrics once a second, in a process of its own: `node bench/web-poller.ts URL`. */
const url = process.argv[2] ?? '';
let scrapes = 0;
let bytes = 0;
const timer = setInterval(() => {
  fetch(`${url}metrics`)
    .then((response) => response.text())
    .then(
      (text) => {
        scrapes += 1;
        bytes = text.length;
      },
      () => clearInterval(timer),
    );
}, 1000);
process.on('message', () => process.send?.({ scrapes, bytes }));
process.on('disconnect', () => process.exit(0));
