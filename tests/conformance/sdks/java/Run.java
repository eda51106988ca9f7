// Calls operations by name through the AWS SDK for Java 2 and prints what the SDK parsed.
//
// Standard input: {"endpoint", "cases": [{"id", "service", "operation", "input"}]}. Standard output: one JSON object a
// line for each case. Times are {"$time": milliseconds}, blobs {"$blob": base64}. Members that the SDK knows and did
// not get are null.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.AwsRequest;
import software.amazon.awssdk.awscore.AwsRequestOverrideConfiguration;
import software.amazon.awssdk.awscore.AwsResponse;
import software.amazon.awssdk.awscore.client.builder.AwsClientBuilder;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.ResponseBytes;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.client.config.SdkAdvancedClientOption;
import software.amazon.awssdk.core.document.Document;
import software.amazon.awssdk.core.protocol.MarshallingType;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.core.sync.ResponseTransformer;
import software.amazon.awssdk.core.traits.ListTrait;
import software.amazon.awssdk.core.traits.MapTrait;
import software.amazon.awssdk.core.util.SdkAutoConstructList;
import software.amazon.awssdk.core.util.SdkAutoConstructMap;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.retries.DefaultRetryStrategy;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.sqs.SqsClientBuilder;
import software.amazon.awssdk.utils.builder.Buildable;

public final class Run {
  private static final String ROOT = "software.amazon.awssdk.services.";
  private static final Map<String, String> CLIENTS = Map.ofEntries(
      Map.entry("apigateway", "apigateway.ApiGateway"),
      Map.entry("apigatewayv2", "apigatewayv2.ApiGatewayV2"),
      Map.entry("cloudformation", "cloudformation.CloudFormation"),
      Map.entry("cloudwatch", "cloudwatch.CloudWatch"),
      Map.entry("codedeploy", "codedeploy.CodeDeploy"),
      Map.entry("dynamodb", "dynamodb.DynamoDb"),
      Map.entry("dynamodbstreams", "dynamodb.streams.DynamoDbStreams"),
      Map.entry("elbv2", "elasticloadbalancingv2.ElasticLoadBalancingV2"),
      Map.entry("events", "eventbridge.EventBridge"),
      Map.entry("iam", "iam.Iam"),
      Map.entry("kinesis", "kinesis.Kinesis"),
      Map.entry("kms", "kms.Kms"),
      Map.entry("lambda", "lambda.Lambda"),
      Map.entry("logs", "cloudwatchlogs.CloudWatchLogs"),
      Map.entry("pipes", "pipes.Pipes"),
      Map.entry("s3", "s3.S3"),
      Map.entry("scheduler", "scheduler.Scheduler"),
      Map.entry("secretsmanager", "secretsmanager.SecretsManager"),
      Map.entry("sns", "sns.Sns"),
      Map.entry("sqs", "sqs.Sqs"),
      Map.entry("ssm", "ssm.Ssm"),
      Map.entry("stepfunctions", "sfn.Sfn"),
      Map.entry("sts", "sts.Sts"),
      Map.entry("xray", "xray.XRay"));

  private static final ObjectMapper JSON = new ObjectMapper();

  public static void main(String[] arguments) throws Exception {
    JsonNode work = JSON.readTree(System.in);
    Map<String, Object> clients = new HashMap<>();
    for (JsonNode one : work.get("cases")) {
      String service = one.get("service").asText();
      if (!clients.containsKey(service)) {
        clients.put(service, client(service, work.get("endpoint").asText()));
      }
      System.out.println(JSON.writeValueAsString(run(clients.get(service), one)));
    }
  }

  private static Object client(String service, String endpoint) throws Exception {
    Class<?> kind = Class.forName(ROOT + CLIENTS.get(service) + "Client");
    AwsClientBuilder<?, ?> builder = (AwsClientBuilder<?, ?>) kind.getMethod("builder").invoke(null);
    builder.endpointOverride(URI.create(endpoint));
    builder.region(Region.EU_WEST_1);
    builder.credentialsProvider(StaticCredentialsProvider.create(AwsBasicCredentials.create("AKIAEXAMPLE", "secret")));
    builder.overrideConfiguration(o -> o
        .retryStrategy(DefaultRetryStrategy.doNotRetry())
        .putAdvancedOption(SdkAdvancedClientOption.DISABLE_HOST_PREFIX_INJECTION, true));
    if (builder instanceof S3ClientBuilder) {
      // The answers are made up, so their checksums are too.
      ((S3ClientBuilder) builder).forcePathStyle(true);
      ((S3ClientBuilder) builder).responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED);
    }
    if (builder instanceof SqsClientBuilder) {
      ((SqsClientBuilder) builder).checksumValidationEnabled(false);
    }
    return builder.build();
  }

  private static Map<String, Object> run(Object client, JsonNode one) throws Exception {
    Map<String, Object> found = new LinkedHashMap<>();
    found.put("id", one.get("id").asInt());
    Method method = method(client, one.get("operation").asText());
    if (method == null) {
      found.put("unknown", true);
      return found;
    }
    try {
      Class<?> kind = method.getParameterTypes()[0];
      SdkPojo builder = (SdkPojo) kind.getMethod("builder").invoke(null);
      byte[] body = fill(builder, one.get("input"));
      ((AwsRequest.Builder) builder).overrideConfiguration(
          AwsRequestOverrideConfiguration.builder().putHeader("x-case", one.get("id").asText()).build());
      Object request = ((Buildable) builder).build();
      found.put("asked", dump(request));
      Object result = call(client, method, request, body);
      if (result instanceof ResponseBytes) {
        found.put("stream", blob(((ResponseBytes<?>) result).asByteArray()));
        result = ((ResponseBytes<?>) result).response();
      }
      found.put("output", dump(result));
      found.put("request_id", ((AwsResponse) result).responseMetadata().requestId());
    } catch (InvocationTargetException thrown) {
      if (thrown.getCause() instanceof AwsServiceException) {
        found.put("error", failure((AwsServiceException) thrown.getCause()));
      } else {
        found.put("failed", text(thrown.getCause()));
      }
    } catch (RuntimeException thrown) {
      found.put("failed", text(thrown));
    }
    return found;
  }

  private static String text(Throwable thrown) {
    return thrown + "\n" + String.join("\n", Arrays.stream(thrown.getStackTrace()).limit(8).map(String::valueOf).toList());
  }

  private static Object call(Object client, Method method, Object request, byte[] body) throws Exception {
    List<Object> arguments = new ArrayList<>(List.of(request));
    for (Class<?> kind : Arrays.asList(method.getParameterTypes()).subList(1, method.getParameterCount())) {
      arguments.add(kind == RequestBody.class ? RequestBody.fromBytes(body) : ResponseTransformer.toBytes());
    }
    return method.invoke(client, arguments.toArray());
  }

  /** The method that takes the request object, and where the operation has them, a body and a transformer. */
  private static Method method(Object client, String operation) {
    for (Class<?> open : client.getClass().getInterfaces()) {
      for (Method method : open.getMethods()) {
        Class<?>[] kinds = method.getParameterTypes();
        boolean fits = kinds.length > 0 && SdkPojo.class.isAssignableFrom(kinds[0])
            && Arrays.stream(kinds).skip(1).allMatch(k -> k == RequestBody.class || k == ResponseTransformer.class);
        boolean streams = Arrays.stream(open.getMethods()).anyMatch(
            m -> m.getName().equals(method.getName()) && Arrays.asList(m.getParameterTypes()).contains(ResponseTransformer.class));
        boolean whole = !streams || Arrays.asList(kinds).contains(ResponseTransformer.class);
        if (fits && whole && method.getName().equalsIgnoreCase(operation)) {
          return method;
        }
      }
    }
    return null;
  }

  private static Map<String, Object> failure(AwsServiceException error) {
    Map<String, Object> found = new LinkedHashMap<>();
    found.put("class", error.getClass().getSimpleName());
    found.put("code", error.awsErrorDetails().errorCode());
    found.put("message", error.awsErrorDetails().errorMessage());
    found.put("status", error.statusCode());
    found.put("request_id", error.requestId());
    if (error instanceof SdkPojo) {
      found.put("members", dump(error));
    }
    return found;
  }

  /** Sets the members that the SDK knows; what it does not is the body of a streaming operation. */
  private static byte[] fill(SdkPojo builder, JsonNode values) {
    byte[] body = new byte[0];
    for (Map.Entry<String, JsonNode> one : values.properties()) {
      Optional<SdkField<?>> field = builder.sdkFields().stream().filter(f -> nameOf(builder, f).equalsIgnoreCase(one.getKey())).findFirst();
      if (field.isPresent()) {
        field.get().set(builder, value(field.get(), one.getValue()));
      } else if (one.getValue().has("$blob")) {
        body = Base64.getDecoder().decode(one.getValue().get("$blob").asText());
      }
    }
    return body;
  }

  /** AWS's name: Java renames the bucket and the key of a copy, and two lists of SNS. */
  private static String nameOf(SdkPojo owner, SdkField<?> field) {
    if (owner.getClass().getName().contains(".sns.model.AddPermissionRequest")) {
      return field.memberName().replaceFirst("(AWSAccountId|ActionName)s$", "$1");
    }
    return field.memberName().replaceFirst("^Destination(?=(Bucket|Key)$)", "");
  }

  private static Object value(SdkField<?> field, JsonNode value) {
    MarshallingType<?> kind = field.marshallingType();
    if (kind == MarshallingType.LIST) {
      SdkField<?> member = field.getTrait(ListTrait.class).memberFieldInfo();
      List<Object> found = new ArrayList<>();
      value.forEach(item -> found.add(value(member, item)));
      return found;
    }
    if (kind == MarshallingType.MAP) {
      SdkField<?> member = field.getTrait(MapTrait.class).valueFieldInfo();
      Map<String, Object> found = new LinkedHashMap<>();
      value.properties().forEach(item -> found.put(item.getKey(), value(member, item.getValue())));
      return found;
    }
    if (kind == MarshallingType.SDK_POJO) {
      SdkPojo inner = field.constructor().get();
      fill(inner, value);
      return ((Buildable) inner).build();
    }
    if (kind == MarshallingType.INSTANT) return Instant.ofEpochMilli(value.get("$time").asLong());
    if (kind == MarshallingType.SDK_BYTES) return SdkBytes.fromByteArray(Base64.getDecoder().decode(value.get("$blob").asText()));
    if (kind == MarshallingType.INTEGER) return value.asInt();
    if (kind == MarshallingType.LONG) return value.asLong();
    if (kind == MarshallingType.DOUBLE) return value.asDouble();
    if (kind == MarshallingType.FLOAT) return (float) value.asDouble();
    if (kind == MarshallingType.BOOLEAN) return value.asBoolean();
    return value.asText();
  }

  private static Object dump(Object value) {
    if (value == null || value instanceof SdkAutoConstructList || value instanceof SdkAutoConstructMap) return null;
    if (value instanceof SdkPojo) {
      Map<String, Object> found = new LinkedHashMap<>();
      for (SdkField<?> field : ((SdkPojo) value).sdkFields()) {
        found.put(nameOf((SdkPojo) value, field), dump(field.getValueOrDefault(value)));
      }
      return found;
    }
    if (value instanceof Collection) return ((Collection<?>) value).stream().map(Run::dump).toList();
    if (value instanceof Map) {
      Map<String, Object> found = new LinkedHashMap<>();
      ((Map<?, ?>) value).forEach((key, item) -> found.put(String.valueOf(key), dump(item)));
      return found;
    }
    if (value instanceof Instant) return Map.of("$time", ((Instant) value).toEpochMilli());
    if (value instanceof SdkBytes) return blob(((SdkBytes) value).asByteArray());
    if (value instanceof Document) return ((Document) value).unwrap();
    return value;
  }

  private static Map<String, String> blob(byte[] data) {
    return Map.of("$blob", new String(Base64.getEncoder().encode(data), StandardCharsets.US_ASCII));
  }
}
