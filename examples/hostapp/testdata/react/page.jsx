// The page of browser.test.js. It mounts the library's prebuilt components, as a builder does.
import "@amp-labs/react/styles";

import { AmpersandProvider, InstallIntegration } from "@amp-labs/react";
import { createRoot } from "react-dom/client";

const query = new URLSearchParams(location.search);

createRoot(document.getElementById("root")).render(
  <AmpersandProvider options={{ apiKey: query.get("apiKey"), project: query.get("project") }}>
    <InstallIntegration
      integration={query.get("integration")}
      consumerRef="consumer-browser" consumerName="Nils Brandt"
      groupRef="group-browser" groupName="Northwind Mills"
    />
  </AmpersandProvider>,
);
