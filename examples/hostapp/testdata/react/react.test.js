// What a customer's browser does with Ampersand's React library, against hostapp: create, list, update, delete.
//
//	HOSTAPP=/path/to/hostapp npm test
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import { JSDOM } from "jsdom";

let server, mounted, integration, amp, react, root, cleanup;
const failures = []; // answers of the server that no step expects

before(async () => {
  server = spawn(process.env.HOSTAPP, ["-addr", "127.0.0.1:0", "-dev", "-store", "memory"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(server.stdout), "line");
  mounted = JSON.parse(line).ampersand;
  const integrations = await fetch(`${mounted.base}/projects/${mounted.projectId}/integrations`, { headers: { "X-Api-Key": mounted.apiKey } });
  integration = (await integrations.json()).find((i) => i.id === mounted.integrationId).name; // installations are looked up by it
  process.env.REACT_APP_AMP_SERVER = mounted.base.replace(/\/v1$/, ""); // read when the library is loaded, which adds the version

  const { window } = new JSDOM("<!doctype html><div id=root></div>", { url: "http://localhost/", pretendToBeVisual: true });
  for (const name of ["window", "document", "navigator", "localStorage", "sessionStorage", "HTMLElement", "Node", "Element", "MutationObserver", "getComputedStyle"]) {
    Object.defineProperty(globalThis, name, { value: name === "window" ? window : window[name], configurable: true, writable: true });
  }
  globalThis.IS_REACT_ACT_ENVIRONMENT = false;
  const plain = globalThis.fetch;
  globalThis.fetch = async (...args) => {
    const response = await plain(...args);
    if (!response.ok) failures.push(`${args[1]?.method ?? "GET"} ${args[0]}: ${response.status} ${await response.clone().text()}`);
    return response;
  };
  window.fetch = globalThis.fetch;

  react = await import("react");
  amp = await import("@amp-labs/react");
  const { createRoot } = await import("react-dom/client");
  root = createRoot(window.document.getElementById("root"));
  cleanup = () => root.unmount();
});

after(async () => {
  cleanup?.();
  server.kill("SIGTERM");
  const [status] = await once(server, "exit");
  assert.equal(status, 0, "hostapp drains and exits with 0");
});

// hooks renders the library's providers and hands out what its hooks return, anew at each rendering.
function hooks() {
  const waiting = new Set();
  let now;
  const Probe = () => {
    now = {
      installation: amp.useInstallation(), create: amp.useCreateInstallation(), update: amp.useUpdateInstallation(),
      remove: amp.useDeleteInstallation(), connection: amp.useConnection(), manifest: amp.useManifest(),
    };
    queueMicrotask(() => waiting.forEach((check) => check(now)));
    return null;
  };
  const h = react.createElement;
  root.render(
    h(amp.AmpersandProvider, { options: { apiKey: mounted.apiKey, project: mounted.projectId } },
      h(amp.InstallationProvider, { integration, consumerRef: "consumer-123", groupRef: "group-123" }, h(Probe))),
  );
  // until resolves with what the hooks return once it satisfies a condition.
  return (condition) => new Promise((resolve) => {
    const check = (value) => {
      if (value && condition(value)) {
        waiting.delete(check);
        resolve(value);
      }
    };
    waiting.add(check);
    check(now);
  });
}

// called waits for the callbacks of a mutation.
const called = (mutate, request) => new Promise((resolve, reject) => mutate({ ...request, onSuccess: resolve, onError: reject }));

const contact = (fields) => ({ objectName: "contact", schedule: "*/30 * * * *", destination: "contactHook", selectedFields: fields, selectedFieldMappings: {} });

test("the library lists, creates, updates and deletes an installation", { timeout: 60_000 }, async () => {
  const until = hooks();
  let at = await until((h) => h.installation.isSuccess && h.connection.isSuccess && h.connection.connection && h.manifest.isSuccess);
  assert.equal(at.installation.installation, undefined, "nothing is installed at first");
  assert.equal(at.connection.connection.provider, "salesforce");

  const created = await called(at.create.createInstallation, {
    config: { provider: "salesforce", read: { objects: { contact: contact({ email: true }) } } },
  });
  assert.equal(created.healthStatus, "healthy");
  at = await until((h) => h.installation.installation?.id === created.id);
  assert.deepEqual(at.installation.installation.config.content.read.objects.contact.selectedFields, { email: true });

  const updated = await called(at.update.updateInstallation, {
    config: { provider: "salesforce", read: { objects: { contact: contact({ email: true, access_token__c: true }) } } },
  });
  assert.equal(updated.id, created.id);
  at = await until((h) => h.installation.installation?.config.content.read.objects.contact.selectedFields.access_token__c);
  assert.equal(at.installation.installation.config.content.read.objects.contact.selectedFields.access_token__c, true, "names of fields are no secrets");

  await called(at.remove.deleteInstallation, {});
  await until((h) => h.installation.isSuccess && h.installation.installation === undefined);
  assert.deepEqual(failures, []);
});
