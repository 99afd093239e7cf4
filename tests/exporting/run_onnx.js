// node run_onnx.js JOBS.json: runs ONNX models on the CPU and prints, as JSON, the outputs of each job by name.
// A job: {"model": path, "pixels": path of float32 values, "shape": [N,3,H,W]}. onnxruntime-node is found by NODE_PATH.
"use strict";
const fs = require("node:fs");
const ort = require("onnxruntime-node");

async function main() {
  const results = [];
  for (const job of JSON.parse(fs.readFileSync(process.argv[2], "utf8"))) {
    const session = await ort.InferenceSession.create(job.model, { intraOpNumThreads: 1, interOpNumThreads: 1 });
    const bytes = fs.readFileSync(job.pixels);
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const outputs = await session.run({ pixels: new ort.Tensor("float32", values, job.shape) });
    const result = {};
    for (const name of session.outputNames) {
      result[name] = { dims: outputs[name].dims, values: Array.from(outputs[name].data) };
    }
    results.push(result);
  }
  process.stdout.write(JSON.stringify(results));
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
