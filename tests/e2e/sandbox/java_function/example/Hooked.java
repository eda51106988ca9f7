// A function with SnapStart's runtime hooks.
package example;

import com.amazonaws.services.lambda.crac.Context;
import com.amazonaws.services.lambda.crac.Core;
import com.amazonaws.services.lambda.crac.Resource;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

public class Hooked implements RequestHandler<Object, Object>, Resource {
  private final List<String> seen = new ArrayList<>(List.of(UUID.randomUUID().toString(), "init"));

  public Hooked() {
    Core.getGlobalContext().register(this);
  }

  public void beforeCheckpoint(Context<? extends Resource> context) {
    seen.add("before");
  }

  public void afterRestore(Context<? extends Resource> context) {
    seen.add("after");
  }

  public Object handleRequest(Object event, com.amazonaws.services.lambda.runtime.Context context) {
    List<String> answer = new ArrayList<>(seen);
    answer.add(System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"));
    return answer;
  }
}
