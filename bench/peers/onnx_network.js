// node onnx_network.js MODEL.onnx BATCH THREADS REPEATS: times an exported network in onnxruntime on the CPU, on a batch of
// one grey, and prints {"seconds": median, "scores": [...]} as JSON. onnxruntime-node is found by NODE_PATH.
"use strict";
const ort = require("onnxruntime-node");

async function main() {
  const [model, batch, threads, repeats] = [process.argv[2], ...process.argv.slice(3).map(Number)];
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: threads, interOpNumThreads: 1 });
  const pixels = new ort.Tensor("float32", new Float32Array(batch * 3 * 224 * 224).fill(0.5), [batch, 3, 224, 224]);
  const seconds = [];
  let outputs = await session.run({ pixels });
  for (let i = 0; i < repeats; ++i) {
    const start = process.hrtime.bigint();
    outputs = await session.run({ pixels });
    seconds.push(Number(process.hrtime.bigint() - start) / 1e9);
  }
  seconds.sort((a, b) => a - b);
  const result = { seconds: seconds[Math.floor(repeats / 2)], scores: Array.from(outputs.score.data) };
  process.stdout.write(JSON.stringify(result));
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
