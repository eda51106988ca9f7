package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func variables(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func written(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestConfigNamesParametersSecretsAndItemsPerRegion(t *testing.T) {
	config, err := ReadConfig(written(t, `
parameters:
  - region: us-west-2
    names:
      - CacheExtensions_Parameter1
      - /aws/reference/secretsmanager/secret_info
secrets:
  - names: [secret_info]
dynamodb:
  - region: us-west-2
    table: DynamoDbTable
    hashkey: pKey
    hashkeytype: S
    hashkeyvalue: pKey1
    sortkey: sKey
    sortkeytype: S
    sortkeyvalue: sKey1
`), "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	parameters := []Group{{
		Region: "us-west-2", Names: []string{"CacheExtensions_Parameter1", "/aws/reference/secretsmanager/secret_info"},
	}}
	if !reflect.DeepEqual(config.Parameters, parameters) {
		t.Errorf("parameters are %+v", config.Parameters)
	}
	if secrets := []Group{{Region: "eu-west-1", Names: []string{"secret_info"}}}; !reflect.DeepEqual(config.Secrets, secrets) {
		t.Errorf("secrets are %+v", config.Secrets)
	}
	if len(config.Items) != 1 || config.Items[0].Name() != "DynamoDbTable-pKey1-sKey1" {
		t.Errorf("items are %+v", config.Items)
	}
}

func TestOneMappingStandsForAListOfOne(t *testing.T) {
	config, err := ReadConfig(written(t, "parameters:\n  region: us-west-2\n  names:\n    - Parameter1\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	if want := []Group{{Region: "us-west-2", Names: []string{"Parameter1"}}}; !reflect.DeepEqual(config.Parameters, want) {
		t.Errorf("parameters are %+v", config.Parameters)
	}
}

func TestWhatIsWrongIsNamedWithItsLine(t *testing.T) {
	for content, want := range map[string]string{
		"parameters:\n  - region: r\n    nams: [a]\n":                              `line 3: unknown key "nams"`,
		"parameters:\n  - region: r\n":                                             "line 2: names: is missing or empty",
		"params: []\n":                                                             `line 1: unknown key "params"`,
		"dynamodb:\n  - table: t\n    hashkey: h\n":                                "line 2: hashkey: or hashkeyvalue: is missing",
		"dynamodb:\n  - {table: t, hashkey: h, hashkeyvalue: v, hashkeytype: B}\n": "line 2: hashkeytype: must be S or N",
		"parameters: [\n":                                                          "line",
		"- a\n":                                                                    "line 1: expected parameters:",
		"parameters:\n  - {region: a, names: [p]}\n  - {region: b, names: [q, p]}\n": `line 3: "p" is named in a, too`,
		"secrets:\n  - {region: a, names: [p]}\n  - {names: [p]}\n":                  `line 3: "p" is named in a, too`,
		"dynamodb:\n  - {table: t, hashkey: h, hashkeyvalue: a-b, hashkeytype: S}\n" +
			"  - {table: t, hashkey: h, hashkeyvalue: a, hashkeytype: S, sortkey: s, sortkeytype: S, sortkeyvalue: b}\n": `line 3: another item has the name "t-a-b"`,
		"secrets: text\n": "line 1: expected a list",
	} {
		_, err := ReadConfig(written(t, content), "")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "config.yaml") {
			t.Errorf("%q gives %v, not %q", content, err, want)
		}
	}
}

func TestAMissingConfigSaysWhereItBelongs(t *testing.T) {
	_, err := ReadConfig("/nowhere/config.yaml", "")
	if err == nil || !strings.Contains(err.Error(), "root of the function's package") {
		t.Errorf("the error is %v", err)
	}
}

func TestSettingsAreGoDurationsAndBooleans(t *testing.T) {
	settings, awsSettings, err := ReadSettings(variables(map[string]string{
		"CACHE_EXTENSION_TTL": "3m", "CACHE_EXTENSION_INIT_STARTUP": "false", "SECRETS_MANAGER_TTL": "10",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if settings.TTL != 3*time.Minute || settings.LoadAtInit || settings.Port != "4000" {
		t.Errorf("settings are %+v", settings)
	}
	if awsSettings.SecretTTL != 10*time.Second || awsSettings.ParameterTTL != 300*time.Second || awsSettings.Port != "2773" {
		t.Errorf("AWS's settings are %+v", awsSettings)
	}
}

func TestDefaultsAreAnHourAndLoadingAtInit(t *testing.T) {
	settings, _, err := ReadSettings(variables(nil))
	if err != nil || settings.TTL != time.Hour || !settings.LoadAtInit || settings.StaleWhileRevalidate != 0 {
		t.Errorf("settings are %+v, %v", settings, err)
	}
}

func TestABadSettingIsNamed(t *testing.T) {
	for name, value := range map[string]string{
		"CACHE_EXTENSION_TTL": "soon", "CACHE_EXTENSION_INIT_STARTUP": "perhaps", "CACHE_EXTENSION_MAX_BYTES": "-1",
		"SSM_PARAMETER_STORE_TTL": "301", "PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE": "1001",
	} {
		_, _, err := ReadSettings(variables(map[string]string{name: value}))
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), value) {
			t.Errorf("%s=%s gives %v", name, value, err)
		}
	}
}
