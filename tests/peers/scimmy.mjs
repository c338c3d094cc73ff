// A SCIM service provider out of SCIMMY and its routers for Express, with resources in memory.
// Prints its address when it listens. The first argument is the bearer token it takes.

import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const token = process.argv[2];

function keep(resource, unique) {
  const kept = new Map();
  const found = (id) => {
    if (!kept.has(id)) throw new SCIMMY.Types.Error(404, null, `no resource ${id}`);
    return kept.get(id);
  };
  resource
    .ingress((asked, sent) => {
      const id = asked.id ?? randomUUID();
      if (asked.id) found(asked.id);
      const name = unique && sent[unique]?.toLowerCase();
      for (const other of name ? kept.values() : []) {
        if (other.id !== id && other[unique]?.toLowerCase() === name) {
          throw new SCIMMY.Types.Error(409, "uniqueness", `${unique} is taken`);
        }
      }
      const plain = JSON.parse(JSON.stringify(sent));
      kept.set(id, { ...plain, id });
      return kept.get(id);
    })
    .egress((asked) => {
      if (asked.id) return found(asked.id);
      const all = [...kept.values()];
      return asked.filter ? asked.filter.match(all) : all;
    })
    .degress((asked) => {
      found(asked.id);
      kept.delete(asked.id);
    });
  SCIMMY.Resources.declare(resource);
}

SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);
keep(SCIMMY.Resources.User, "userName");
// A company may have two groups of one name.
keep(SCIMMY.Resources.Group);

const app = express();
app.use(
  "/scim",
  new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
      if (request.header("authorization") !== `Bearer ${token}`) throw new Error("wrong token");
      return "rosterd";
    },
  }),
);
const server = app.listen(0, "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}/scim`);
});
