// A receiver of the Polis kind: parses a body, serialises it again, and then checks the
// signature. Standard input: the secret, then one delivery a line as JSON, { headers, body }.
// Standard output: how many were good.
const crypto = require("node:crypto");

const [secret, ...lines] = require("node:fs").readFileSync(0, "utf8").trim().split("\n");
let good = 0;
for (const line of lines) {
  const { headers, body } = JSON.parse(line);
  const [time, signature] = headers["boxyhq-signature"].split(",").map((part) => part.split("=")[1]);
  const again = JSON.stringify(JSON.parse(body));
  const expected = crypto.createHmac("sha256", secret).update(`${time}.${again}`).digest("hex");
  if (expected !== signature) {
    throw new Error(`the signature is not that of ${again}`);
  }
  for (const name of ["ory-polis-signature", "ory-signature"]) {
    if (headers[name] !== headers["boxyhq-signature"]) {
      throw new Error(`${name} is missing`);
    }
  }
  good += 1;
}
console.log(good);
