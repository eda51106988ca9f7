// AWS's SDK for Java 2 without any setting: STS and S3 by AWS's own names.
import java.util.Map;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.sts.StsClient;

public class App {
  public Map<String, String> handle(Map<String, String> event) {
    String bucket = event.get("bucket");
    String identity = StsClient.create().getCallerIdentity().arn();
    S3Client s3 = S3Client.create();
    s3.putObject(request -> request.bucket(bucket).key("a key/ü"), RequestBody.fromString("written"));
    String read = s3.getObjectAsBytes(request -> request.bucket(bucket).key("a key/ü")).asUtf8String();
    return Map.of("identity", identity, "read", read);
  }
}
