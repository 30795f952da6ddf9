// Stands for a worker process where only the stack around it is looked at: ready at once, ended by SIGTERM.
console.log(JSON.stringify({ level: 'info', event: 'worker-ready', arguments: process.argv.slice(2) }));
setInterval(() => {}, 60_000);
