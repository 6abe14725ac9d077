// Entry of the executable: hidden verbs are the children that this executable starts of itself, all others the CLI.

const [verb, ...rest] = process.argv.slice(2);

// Imported only when needed, so that a runner does not load the web server and a CLI call not ONNX Runtime.
if (verb === 'runner') {
  const { runRunner } = await import('./inference/runner.ts');
  await runRunner(Number(rest[0]));
}
