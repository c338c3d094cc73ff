// A SCIM service provider out of SAML Jackson (Ory Polis), with its engine in memory. Prints its
// address and the token of its one directory when it listens.

import express from "express";
import jackson from "@boxyhq/saml-jackson";

const { directorySyncController: sync } = await jackson.controllers({
  externalUrl: "http://127.0.0.1",
  samlAudience: "https://rosterd.test",
  samlPath: "/saml",
  oidcPath: "/oidc",
  db: { engine: "mem" },
  noAnalytics: true,
});
const made = await sync.directories.create({
  name: "rosterd",
  tenant: "acme",
  product: "portal",
  type: "generic-scim-v2",
});
if (made.error) throw new Error(made.error.message);
const { id, scim } = made.data;

const app = express();
app.use(express.json({ type: ["application/json", "application/scim+json"], limit: "10mb" }));
app.all("/api/scim/v2.0/:directory/:resources/:resource?", async (request, response) => {
  const { count, startIndex, filter } = request.query;
  const { status, data } = await sync.requests.handle(
    {
      method: request.method,
      body: request.body,
      directoryId: request.params.directory,
      resourceType: request.params.resources.toLowerCase(),
      resourceId: request.params.resource,
      apiSecret: request.header("authorization")?.replace(/^Bearer /, ""),
      query: {
        count: count ? Number(count) : undefined,
        startIndex: startIndex ? Number(startIndex) : undefined,
        filter,
      },
    },
    async () => {},
  );
  response.status(status).json(data);
});
// What it keeps, read past SCIM: the list of groups over SCIM stops at fifty.
app.get("/kept", async (_, response) => {
  const users = [];
  for (let page = 0; ; page += 50) {
    const { data } = await sync.users.setTenantAndProduct("acme", "portal").getAll({
      pageOffset: page,
      pageLimit: 50,
      directoryId: id,
    });
    if (!data?.length) break;
    users.push(...data);
  }
  const store = sync.groups.setTenantAndProduct("acme", "portal");
  const groups = [];
  for (let page = 0; ; page += 50) {
    const { data } = await store.getAll({ pageOffset: page, pageLimit: 50, directoryId: id });
    if (!data?.length) break;
    for (const group of data) {
      const members = [];
      for (let from = 0; ; from += 50) {
        const found = await store.getGroupMembers({
          groupId: group.id,
          pageOffset: from,
          pageLimit: 50,
        });
        const listed = found?.data ?? found ?? [];
        if (!listed.length) break;
        members.push(...listed.map((member) => member.user_id));
        if (listed.length < 50) break;
      }
      groups.push({ ...group, members });
    }
  }
  response.json({ users, groups });
});
const server = app.listen(0, "127.0.0.1", () => {
  const base = `http://127.0.0.1:${server.address().port}/api/scim/v2.0/${id}`;
  console.log(`listening on ${base} with ${scim.secret}`);
});
