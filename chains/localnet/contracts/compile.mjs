// Compiles the contracts beside it to bytecode.json, reproducibly:
//   npm install --no-save solc@0.8.26 && node chains/localnet/contracts/compile.mjs
// No metadata hash is appended, so the same sources and compiler give the same bytes anywhere.
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const solc = createRequire(join(process.cwd(), "package.json"))("solc");
const names = [
  "SandboxCallbacks",
  "SandboxMulticall",
  "SandboxPoolDeployer",
  "SandboxReverts",
  "SandboxToken",
];
const input = {
  language: "Solidity",
  sources: Object.fromEntries(
    names.map((name) => [name, { content: readFileSync(join(here, `${name}.sol`), "utf8") }]),
  ),
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "paris",
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
if (output.errors) throw new Error(output.errors.map((error) => error.formattedMessage).join("\n"));
const compiled = Object.fromEntries(
  names.map((name) => {
    const { bytecode, deployedBytecode } = output.contracts[name][name].evm;
    return [name, { bytecode: `0x${bytecode.object}`, runtime: `0x${deployedBytecode.object}` }];
  }),
);
const text = `${JSON.stringify({ compiler: solc.version(), ...compiled }, null, 1)}\n`;
if (process.argv[2] === "--print") process.stdout.write(text);
else writeFileSync(join(here, "bytecode.json"), text);
