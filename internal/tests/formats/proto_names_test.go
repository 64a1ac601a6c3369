package formats

// protoNames are the names of all fields of docs/record.proto that the writes in the test fill.
// The service does not write the state of a token refresh yet. The account of an entry is empty
// where the installation had none at that time.
var protoNames = map[string]string{
	"Body": `
		lifecycle lifecycle.status lifecycle.generation lifecycle.expired
		lifecycle.expired.at lifecycle.expired.kind lifecycle.expired.by
		lifecycle.expired.by_name lifecycle.expired.by_icon lifecycle.uninstalled
		lifecycle.uninstalled.at lifecycle.uninstalled.kind lifecycle.uninstalled.by
		lifecycle.uninstalled.by_name lifecycle.uninstalled.by_icon lifecycle.uninstalled.of
		lifecycle.uninstalled.of_name lifecycle.uninstalled.of_icon lifecycle.purge_at
		lifecycle.purged manifest key_id key values values.ref values.sealed`,
	"Manifest": `
		id generation revision epoch lifecycle lifecycle.status lifecycle.generation
		lifecycle.expired lifecycle.expired.at lifecycle.expired.kind lifecycle.expired.by
		lifecycle.expired.by_name lifecycle.expired.by_icon lifecycle.uninstalled
		lifecycle.uninstalled.at lifecycle.uninstalled.kind lifecycle.uninstalled.by
		lifecycle.uninstalled.by_name lifecycle.uninstalled.by_icon lifecycle.uninstalled.of
		lifecycle.uninstalled.of_name lifecycle.uninstalled.of_icon lifecycle.purge_at
		lifecycle.purged table table.ref table.tag table.number rule index_version claims
		code_hash code_era redeemer credential_number content content.name content.extension
		content.extension.id content.extension.name content.extension.icon
		content.extension.href content.extension.owner content.extension.revision
		content.account content.account.id content.account.name content.account.icon
		content.account.type content.account.status content.account.url
		content.account.contact content.account.contact.name content.account.contact.email
		content.account.revision content.account.created content.account.updated
		content.health content.consent content.consent.scopes content.consent.policies
		content.consent.policies.key content.consent.policies.value content.consent.modules
		content.consent.modules.id content.consent.modules.name content.consent.modules.icon
		content.consent.terms content.consent.terms.id content.consent.terms.name
		content.consent.terms.icon content.configuration content.configuration.id
		content.configuration.revision_id content.configuration.created
		content.configuration.created_by content.configuration.document content.connection
		content.connection.id content.connection.provider content.connection.scheme
		content.connection.status content.connection.app content.connection.app.id
		content.connection.app.external_ref content.connection.app.provider
		content.connection.app.client_id content.connection.app.scopes
		content.connection.app.created content.connection.app.updated
		content.connection.consumer content.connection.consumer.id
		content.connection.consumer.name content.connection.consumer.created
		content.connection.consumer.updated content.connection.workspace_ref
		content.connection.consumer_ref content.connection.scopes
		content.connection.token_type content.connection.access_token
		content.connection.access_token.present content.connection.access_token.issued
		content.connection.access_token.expires content.connection.refresh_token
		content.connection.refresh_token.present content.connection.refresh_token.issued
		content.connection.refresh_token.expires content.connection.api_key
		content.connection.metadata content.connection.created content.connection.updated
		content.billing_plan content.billing_plan.id content.billing_plan.type
		content.billing_plan.name content.billing_plan.scope
		content.billing_plan.description content.billing_plan.payment_method_required
		content.billing_plan.preauthorization_amount content.billing_plan.initial_charge
		content.billing_plan.minimum_amount content.billing_plan.maximum_amount
		content.billing_plan.maximum_amount_auto_purchase_per_period
		content.billing_plan.cost content.billing_plan.details
		content.billing_plan.details.label content.billing_plan.details.value
		content.billing_plan.highlighted_details
		content.billing_plan.highlighted_details.label
		content.billing_plan.highlighted_details.value content.billing_plan.quote
		content.billing_plan.quote.line content.billing_plan.quote.amount
		content.billing_plan.required_policies content.billing_plan.required_policies.id
		content.billing_plan.required_policies.name
		content.billing_plan.required_policies.url content.billing_plan.effective_date
		content.billing_plan.disabled content.notification content.notification.level
		content.notification.title content.notification.message content.notification.href
		content.invitation content.invitation.message content.invitation.external_id
		content.invitation.recipient content.invitation.validity content.invitation.expires
		content.created content.created.at content.created.kind content.created.by
		content.created.by_name content.created.by_icon content.updated content.updated.at
		content.updated.kind content.updated.by content.updated.by_name
		content.updated.by_icon content.updated.of content.updated.of_name
		content.updated.of_icon content.invited content.invited.at content.invited.kind
		content.invited.by content.invited.by_name content.invited.by_icon content.installed
		content.installed.at content.installed.kind content.installed.by
		content.installed.by_name content.installed.by_icon content.installed.of
		content.installed.of_name content.installed.of_icon content.extra`,
	"Event": `
		type tenant id revision generation time extension account actor_kind actor_id
		user_id user_name user_icon read_only reason changed`,
	"Row": `
		record record.tenant record.id record.revision record.generation record.deleted
		record.created record.deadline record.index record.claims record.body
		ops ops.token ops.revision ops.with_record
		outcome outcome.digest outcome.until outcome.data tenant`,
	"Outcome": `
		sealed key_id key`,
	"Answer": `
		content code fingerprint id
		generation revision verdict data_key epoch`,
}
