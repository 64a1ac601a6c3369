// What a customer sees in a real browser: Ampersand's prebuilt components connect, install, change
// and uninstall against hostapp. The page is at localhost and the API at 127.0.0.1, so each request
// crosses origins.
//
//	HOSTAPP=/path/to/hostapp npm run browser
//
// CHROMIUM is the browser; the default is /usr/bin/chromium. SCREENSHOTS is a folder for pictures.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";

import { build } from "esbuild";
import { chromium } from "playwright-core";

// The components need 365 pixels, whatever the page does. The server's own page needs less.
const phone = { width: 390, height: 844 };
const small = { width: 320, height: 640 };
const desk = { width: 1280, height: 900 };
const here = import.meta.dirname;

let folder, server, mounted, origins, browser, page;
const failures = []; // errors of the page, and answers of the server that no step expects

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "hostapp-pages-"));
  const args = ["-addr", "127.0.0.1:0", "-dev", "-store", "memory", "-pages", folder];
  server = spawn(process.env.HOSTAPP, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface(server.stdout), "line");
  mounted = JSON.parse(line);
  const api = `http://${mounted.addr}`;
  origins = { api, page: api.replace("127.0.0.1", "localhost") };
  await build({
    entryPoints: [join(here, "page.jsx")], outfile: join(folder, "page.js"),
    bundle: true, jsx: "automatic", logLevel: "error",
    define: {
      "process.env.REACT_APP_AMP_SERVER": JSON.stringify(api), // the library adds /v1
      "process.env.NODE_ENV": '"production"',
    },
  });
  await copyFile(join(here, "page.html"), join(folder, "index.html"));
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: process.getuid() === 0 ? ["--no-sandbox"] : [], // Chromium's sandbox refuses root
  });
});

after(async () => {
  await browser?.close();
  if (server) {
    server.kill("SIGTERM");
    const [status] = await once(server, "exit");
    assert.equal(status, 0, "hostapp drains and exits with 0");
  }
  await rm(folder, { recursive: true });
});

// open opens a page that reaches nothing but the server, and collects failures.
async function open() {
  const context = await browser.newContext({ viewport: desk });
  await context.route(
    (url) => !Object.values(origins).includes(url.origin),
    (route) => route.abort(), // fonts and a picture
  );
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => failures.push(error.message));
  page.on("response", (r) => {
    if (!r.ok() && r.status() !== 304) {
      failures.push(`${r.request().method()} ${r.url()}: ${r.status()}`);
    }
  });
  page.on("requestfailed", (r) => {
    const text = r.failure().errorText;
    // A reload or a step of the page ends requests whose answer nobody needs any more.
    if (r.url().startsWith(origins.api) && text !== "net::ERR_ABORTED") {
      failures.push(`${r.url()}: ${text}`);
    }
  });
}

// look checks that a page fits the screen of a phone and of a desk, and takes pictures.
async function look(name, page, sizes = { phone, desk }) {
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    if (process.env.SCREENSHOTS) {
      const path = join(process.env.SCREENSHOTS, `${name}-${size}.png`);
      await page.screenshot({ path, fullPage: true });
    }
    const { scroll, client } = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return { scroll: scrollWidth, client: clientWidth };
    });
    assert.ok(scroll <= client, `${name} on a ${size}: ${scroll} wide, the screen has ${client}`);
  }
}

// consent clicks the button that opens the provider's window, and allows the access there.
async function consent(name) {
  const [popup] = await Promise.all([
    page.waitForEvent("popup"), page.getByRole("button", { name: "Next" }).click(),
  ]);
  assert.equal(new URL(popup.url()).pathname, "/dev/ampersand/consent");
  const allow = popup.getByRole("button", { name: "Allow" });
  await allow.waitFor();
  if (process.env.SCREENSHOTS) {
    await popup.screenshot({ path: join(process.env.SCREENSHOTS, `${name}-consent.png`) });
  }
  await Promise.all([popup.waitForEvent("close"), allow.click()]);
}

// answer waits for the answer to a request of the page that do causes.
async function answer(method, path, action) {
  const [response] = await Promise.all([
    page.waitForResponse((r) => r.request().method() === method && r.url().includes(path)),
    action(),
  ]);
  assert.ok(response.ok(), `${method} ${path}: ${response.status()}`);
}

// get reads from the API as the builder.
async function get(path) {
  const response = await fetch(`${origins.api}/v1/projects/${mounted.ampersand.projectId}${path}`, {
    headers: { "X-Api-Key": mounted.ampersand.apiKey },
  });
  return response.json();
}

const tab = (name) => page.getByRole("tab", { name }).click();
const selected = async () => {
  const [{ config }] = await get("/installations");
  return config.content.read.objects.contact.selectedFields;
};

// lists checks that the server's own page has the installation, and fits a small phone.
async function lists(name, state) {
  const own = await page.context().newPage();
  await own.goto(`${origins.api}/`);
  const row = own.getByRole("listitem").filter({ hasText: "Northwind Mills" });
  assert.ok((await row.innerText()).includes(state), await row.innerText());
  await look(name, own, { small, phone, desk });
  await own.close();
}

test("the components connect, install, change and uninstall", { timeout: 90_000 }, async () => {
  await open();
  const { apiKey, projectId } = mounted.ampersand;
  const query = new URLSearchParams({ apiKey, project: projectId, integration: "crm-sync" });
  await page.goto(`${origins.page}/dev/pages/?${query}`);

  await page.getByText("Set up Salesforce integration").waitFor();
  await look("1-connect", page);
  await consent("1-connect");
  await tab("contact");
  await page.getByRole("checkbox", { name: "phone" }).click();
  await look("2-install", page);
  const [connection] = await get("/connections?groupRef=group-browser");
  assert.equal(connection.provider, "salesforce");

  await answer("POST", "/installations",
    () => page.getByRole("button", { name: "Install", exact: true }).click());
  await page.getByRole("button", { name: "Save" }).waitFor();
  assert.deepEqual(await selected(), { phone: true });

  await tab("contact");
  await page.getByRole("checkbox", { name: "name" }).click();
  await look("3-change", page);
  await answer("PATCH", "/installations/",
    () => page.getByRole("button", { name: "Save" }).click());
  assert.deepEqual(await selected(), { name: true, phone: true });

  await tab("Manage");
  await look("4-manage", page);
  await consent("4-manage");
  assert.deepEqual((await get("/connections?groupRef=group-browser")).map(({ id }) => id),
    [connection.id], "a new consent updates the connection");

  await lists("list", "Status: installed. Health: healthy. Last event: updated, ");
  await answer("DELETE", "/installations/",
    () => page.getByRole("button", { name: "Yes, uninstall" }).click());
  await page.getByText("uninstalled").waitFor();
  await look("5-uninstalled", page);
  assert.deepEqual(await get("/installations"), []);
  assert.deepEqual(failures, []);
});
