// Entry of the executable: hidden verbs are the children that this executable starts of itself, all others the CLI.
// Rooms are imported only when needed, so that a runner does not load the web server and a CLI call not the rooms.

export {};

const argv = process.argv.slice(2);
const [verb, ...rest] = argv;

if (verb === 'runner') {
  const { runRunner } = await import('./inference/runner.ts');
  await runRunner(Number(rest[0]));
} else if (verb === 'job') {
  const { serveChild } = await import('./job/child.ts');
  const { findJobHandler } = await import('./jobs.ts');
  await serveChild(Number(rest[1]), findJobHandler(rest[0] ?? ''));
} else {
  const { runCli } = await import('./cli/cli.ts');
  process.exit(await runCli(argv, { serve: async (loaded) => (await import('./serve.ts')).serve(loaded) }));
}
